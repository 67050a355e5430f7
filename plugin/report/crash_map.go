package report

// CrashMap is what a page shows of a crash map.
type CrashMap struct {
	// Tally says how much is covered, and what was found.
	Tally    string
	Bars     []Bar
	Findings []CrashFinding
	// Legend explains the cells.
	Legend []Cell
}

// Bar is one call: its crash points in the order of time.
type Bar struct {
	Title string
	Cells []Cell
	// Notes say what is not covered, and how likely findings are.
	Notes []string
}

// Cell is one crash point, or one kind of them.
type Cell struct {
	Symbol, Text string
	// Place is the back end, with an arrow before or after its name.
	Place string
	// Kind is the number of the consequence, from 1; 0 is not covered.
	Kind int
	// Run is the name of its run, and File the experiment that replays it.
	Run, File string
}

// CrashFinding is what the system does not recover from, in its words, and where.
type CrashFinding struct {
	Text   string
	Places []string
}
