package conformance

import "strings"

// chance is why a record is never asked: what it shows is not the same each
// time, not even on the EMCO that it was recorded from.
var chance = map[int]string{
	261: "which of the calls that the database broke at the same moment is told of which is chance",
}

// Reasons why records are asked of an emulated EMCO alone.
const (
	shared       = "it touches /v2/controllers, which all users of an EMCO share"
	empty        = "it lists what there is in an EMCO with nothing in it"
	unregistered = "rsync must not be registered"
	rsyncKilled  = "rsync must be killed before it"
	rsyncStopped = "rsync must be stopped before it"
	mongoKilled  = "the database must be killed before it"
	clmDown      = "clm must be down before it"
)

// emulatedSets and emulatedRecords are asked of an EMCO alone whose services
// can be stopped and that nobody else uses.
var (
	emulatedSets    = map[string]string{"rsyncdown": rsyncKilled, "mongodown": mongoKilled, "clmdown": clmDown}
	emulatedRecords = map[int]string{10: empty, 20: empty, 229: unregistered, 233: unregistered}
)

// emulatedOnly says why a record is not asked of any EMCO; empty if it is.
func (r Record) emulatedOnly() string {
	switch {
	case strings.HasPrefix(r.Path, "/v2/controllers"):
		return shared
	case r.Given == "rsync SIGSTOPped":
		return rsyncStopped
	case emulatedSets[r.Set] != "":
		return emulatedSets[r.Set]
	}
	return emulatedRecords[r.Number]
}

// passing are the records that show a moment which EMCO leaves by itself,
// each with a piece of the answer that says that it had passed.
var passing = map[int]string{
	155: `"deployedStatus":"Instantiated"`,
	171: `"deployedStatus":"Instantiated"`,
	287: "The Logical Cloud has already been terminated",
}

const passed = "the moment that it shows had passed before it could be asked"
