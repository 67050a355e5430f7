package conformance

// Hand stops and starts the services of an EMCO and holds its links. Tests of
// an emulated EMCO have one; nobody has one for an EMCO that others use too.
type Hand interface {
	// Kill ends a service as SIGKILL does, Restart starts it again.
	Kill(service string) error
	Restart(service string) error
	// Link is the link by which one service reaches another.
	Link(link Link) Hold
}

// Link names a link: who reaches whom.
type Link struct{ From, To string }

var (
	rsyncToEdge         = Link{"rsync", "edge"}
	orchestratorToRsync = Link{"orchestrator", "rsync"}
)

// Hold holds a link.
type Hold interface {
	// Hold keeps back every request that contains one of the texts; all
	// bytes if there is no text.
	Hold(texts ...string)
	// Drop breaks the link's connections.
	Drop()
	// Release lets pass what is held, and all that comes.
	Release()
	// Waiting is how many requests are held.
	Waiting() int
}
