package emco

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Call is a call of EMCO's that experiments name: what it needs, where it
// goes, and how its progress is seen.
type Call struct {
	Name    string  // in experiments, such as "dig.instantiate"
	Service Service // that answers it
	// Group is the number of the deployment intent group that it works on, as
	// [Names.Group] has it; 0 is the first.
	Group int
	// Into is the number of the group that the work goes over to, whose status then
	// tells of it; 0 is Group itself.
	Into int
	// Given is the state that it needs, and Also others that EMCO takes it in.
	Given Given
	Also  []Given
	// Path is the template of its anchor, as [Names.Anchor] reads it: with
	// Creates, the kind of resource that it creates, that of the collection.
	Path    string
	Creates Kind
	// During is the call whose work must be under way for EMCO to take it: Given is
	// then the state that this one is made in.
	During string
	// Opposite is the call that leads back; empty where EMCO has none.
	Opposite string
	// Body is what is sent along; nil is nothing.
	Body func(Names) map[string]any
	// Replaces is which AppContext the call puts in the place of the last one, if
	// any: its action is then that of the calls before too.
	Replaces Replacement
	// StatusPath and StatusQuery are where its progress is seen: the status
	// of what it works on, or the resource that it creates.
	StatusPath, StatusQuery string
	// Action is what EMCO adds to the history when it accepts the call. With
	// ByDeployment EMCO goes by the deployment alone: dcm, killed between rsync's
	// work and the history, has done the call all the same.
	Action       State
	ByDeployment bool
	// UnderWay, End and Failure are the states of the deployment while the
	// call's work goes on, when it is done, and when it failed for good.
	UnderWay, End, Failure State
	// Refusals sorts EMCO's answers that are no 2xx, the first that fits.
	Refusals []Refusal
}

// Refusal is an answer that EMCO refuses a call with.
type Refusal struct {
	Code  int
	Text  string // a part of the body
	Means Meaning
}

// Meaning is what a refusal means for a client that reissues the call.
type Meaning string

// What a refusal can mean.
const (
	// Already: under way or done, if the status agrees: EMCO gives some of these
	// texts for a call that it never began too.
	Already Meaning = "already"
	Wait    Meaning = "wait"  // the reason goes away
	Never   Meaning = "never" // it does not go away by itself
)

// calls is the table of calls, with those on further groups at its end.
var calls = slices.Concat(firsts, further(2), further(3))

// further are the calls of a group's life cycle, dig.instantiate and the like, on
// the group of a number: dig2.instantiate.
func further(number int) []Call {
	var list []Call
	rename := func(name string) string { return strings.Replace(name, digs[0]+".", digs[number-1]+".", 1) }
	move := func(given Given) Given {
		moved := given
		moved.DIG = ""
		*moved.group(number) = given.DIG
		return moved
	}
	for _, name := range []string{"dig.approve", "dig.instantiate", "dig.terminate"} {
		call := firsts[slices.IndexFunc(firsts, func(c Call) bool { return c.Name == name })]
		call.Name, call.Opposite, call.Group = rename(name), rename(call.Opposite), number
		call.Given, call.Also = move(call.Given), slices.Clone(call.Also)
		for i := range call.Also {
			call.Also[i] = move(call.Also[i])
		}
		list = append(list, call)
	}
	return list
}

// firsts are the calls on the first group, and on all else. The texts are EMCO's,
// release 22.12.
var firsts = []Call{
	{
		Name: "dig.approve", Service: Orchestrator,
		Given: Given{LogicalCloud: Instantiated, DIG: Created},
		Also:  []Given{{DIG: Created}, {DIG: Approved}, {DIG: Terminated}},
		Path:  "{dig}/approve", StatusPath: "{dig}/status", StatusQuery: "status=deployed",
		Action: Approved, End: Approved,
		Refusals: []Refusal{
			{http.StatusInternalServerError, "DeploymentIntentGroup has already been instantiated", Already},
			{http.StatusInternalServerError, "StateInfo not found", Never},
		},
	},
	{
		Name: "dig.instantiate", Service: Orchestrator,
		Given: Given{LogicalCloud: Instantiated, DIG: Approved},
		Also:  []Given{{LogicalCloud: Instantiated, DIG: Terminated}},
		Path:  "{dig}/instantiate", StatusPath: "{dig}/status", StatusQuery: "status=deployed",
		Action: Instantiated, UnderWay: Instantiating, End: Instantiated, Failure: InstantiateFailed,
		Opposite: "dig.terminate",
		Refusals: []Refusal{
			{http.StatusInternalServerError, "DeploymentIntentGroup has already been instantiated", Already},
			{http.StatusInternalServerError, "The Logical Cloud is still instantiating", Wait},
			{http.StatusInternalServerError, "DeploymentIntentGroup must be Approved", Never},
			{http.StatusInternalServerError, "The Logical Cloud has never been instantiated", Never},
			{http.StatusInternalServerError, "The Logical Cloud is not currently instantiated", Never},
			{http.StatusInternalServerError, "No compatible clusters", Never},
			{http.StatusInternalServerError, "Cluster provider not found", Never},
			{http.StatusInternalServerError, "queryRsyncInfoInMCODB Failed", Never},
		},
	},
	{
		Name: "dig.terminate", Service: Orchestrator,
		Given: Given{LogicalCloud: Instantiated, DIG: Instantiated},
		Path:  "{dig}/terminate", StatusPath: "{dig}/status", StatusQuery: "status=deployed",
		Action: Terminated, UnderWay: Terminating, End: Terminated, Failure: TerminateFailed,
		Opposite: "dig.instantiate",
		Refusals: []Refusal{
			// EMCO answers the same for a group that was never instantiated.
			{http.StatusInternalServerError, "DeploymentIntentGroup is not instantiated", Already},
			{http.StatusInternalServerError, "StateInfo not found", Never},
		},
	},
	{
		Name: "dig.update", Service: Orchestrator,
		Given: Given{LogicalCloud: Instantiated, DIG: Instantiated},
		Path:  "{dig}/update", StatusPath: "{dig}/status", StatusQuery: "status=deployed",
		Action: Instantiated, UnderWay: Instantiating, End: Instantiated, Failure: InstantiateFailed,
		Replaces: ByNew, Opposite: "dig.rollback",
		Refusals: []Refusal{
			{http.StatusInternalServerError, "DeploymentIntentGroup is not instantiated", Never},
			{http.StatusInternalServerError, "StateInfo not found", Never},
		},
	},
	{
		Name: "dig.rollback", Service: Orchestrator,
		Given: Given{LogicalCloud: Instantiated, DIG: Instantiated},
		// EMCO asks for no state: a terminated group is said to be instantiated, and is not.
		Also: []Given{{LogicalCloud: Instantiated, DIG: Terminated}},
		Path: "{dig}/rollback", StatusPath: "{dig}/status", StatusQuery: "status=deployed",
		// To the first instantiation, which every group has that can be rolled back.
		Body:   func(Names) map[string]any { return describing(fields{"revision": "1"}) },
		Action: Instantiated, UnderWay: Instantiating, End: Instantiated, Failure: InstantiateFailed,
		Replaces: ByEarlier, Opposite: "dig.update",
		Refusals: []Refusal{{http.StatusInternalServerError, "StateInfo not found", Never}},
	},
	{
		// EMCO puts another group of the composite app, mostly of a newer version, in the
		// place of one, and has no call that leads back.
		Name: "dig.migrate", Service: Orchestrator, Into: 2,
		Given: Given{LogicalCloud: Instantiated, DIG: Instantiated, DIG2: Approved},
		Path:  "{dig}/migrate", StatusPath: "{dig}/status", StatusQuery: "status=deployed",
		Body: func(names Names) map[string]any {
			to := names.Group(2)
			return describing(fields{"targetCompositeAppVersion": to.name(versionField), "targetDeploymentIntentGroup": to.name("dig")})
		},
		Action: Instantiated, UnderWay: Instantiating, End: Instantiated, Failure: InstantiateFailed,
		Refusals: []Refusal{
			// EMCO answers the same when it has done it, and for a group that never was.
			{http.StatusInternalServerError, "DeploymentIntentGroup is not instantiated", Already},
			{http.StatusInternalServerError, "StateInfo not found", Never},
		},
	},
	{
		Name: "dig.stop", Service: Orchestrator,
		Given: Given{LogicalCloud: Instantiated, DIG: Approved}, During: "dig.instantiate",
		Path: "{dig}/stop", StatusPath: "{dig}/status", StatusQuery: "status=deployed",
		Action: InstantiateStopped, End: InstantiateFailed,
		Refusals: stopRefusals,
	},
	{
		// The same request: what EMCO stops is told by what is under way.
		Name: "dig.stop-terminate", Service: Orchestrator,
		Given: Given{LogicalCloud: Instantiated, DIG: Instantiated}, During: "dig.terminate",
		Path: "{dig}/stop", StatusPath: "{dig}/status", StatusQuery: "status=deployed",
		Action: TerminateStopped, End: TerminateFailed,
		Refusals: stopRefusals,
	},
	{
		Name: "logical-cloud.instantiate", Service: DCM,
		Given: Given{LogicalCloud: Created},
		Also:  []Given{{LogicalCloud: Terminated}},
		Path:  "{logicalCloud}/instantiate", StatusPath: "{logicalCloud}/status",
		Action: Instantiated, UnderWay: Instantiating, End: Instantiated, Failure: InstantiateFailed, ByDeployment: true,
		Opposite: "logical-cloud.terminate",
		Refusals: []Refusal{
			{http.StatusConflict, "The Logical Cloud is already instantiat", Already},
			{http.StatusConflict, "The Logical Cloud can't be re-instantiated yet", Wait},
		},
	},
	{
		Name: "logical-cloud.terminate", Service: DCM,
		// EMCO refuses it while any group is on the logical cloud.
		Given: Given{LogicalCloud: Instantiated, DIG: Absent},
		Path:  "{logicalCloud}/terminate", StatusPath: "{logicalCloud}/status",
		Action: Terminated, UnderWay: Terminating, End: Terminated, Failure: TerminateFailed, ByDeployment: true,
		Opposite: "logical-cloud.instantiate",
		Refusals: []Refusal{
			{http.StatusConflict, "The Logical Cloud is already being terminated", Already},
			{http.StatusConflict, "The Logical Cloud has already been terminated", Already},
			{http.StatusConflict, "The Logical Cloud is still instantiating", Wait},
		},
	},
	{
		// Taken of one that is Instantiated too, whose deployment then stays as it is.
		Name: "logical-cloud.stop", Service: DCM, Given: Given{LogicalCloud: Instantiated},
		Path: "{logicalCloud}/stop", StatusPath: "{logicalCloud}/status",
		Action: InstantiateStopped, End: Instantiated,
	},
	{
		Name: "cluster-provider.create", Service: CLM, Given: Given{ClusterProvider: Absent},
		Path: "cluster-providers", Creates: ClusterProvider, StatusPath: "{provider}", End: Created,
		Refusals: []Refusal{{http.StatusConflict, "ClusterProvider already exists", Already}},
	},
	{
		Name: "cluster.create", Service: CLM, Given: Given{ClusterProvider: Created, Cluster: Absent},
		Path: "{provider}/clusters", Creates: Cluster, StatusPath: "{cluster}", End: Created,
		Refusals: []Refusal{{http.StatusConflict, "Cluster already exists", Already}},
	},
	{
		Name: "cluster-label.create", Service: CLM, Given: Given{ClusterProvider: Created, Cluster: Created, ClusterLabel: Absent},
		Path: "{cluster}/labels", Creates: ClusterLabel, StatusPath: "{label}", End: Created,
		Refusals: []Refusal{{http.StatusConflict, "Cluster Label already exists", Already}},
	},
}

var stopRefusals = []Refusal{
	{http.StatusInternalServerError, "DeploymentIntentGroup is not instantiating or terminating", Never},
	{http.StatusInternalServerError, "StateInfo not found", Never},
}

// CallNames lists the calls that experiments can name.
func CallNames() (names []string) {
	for _, c := range calls {
		names = append(names, c.Name)
	}
	return names
}

// CallNamed finds a call by its name.
func CallNamed(name string) (Call, bool) {
	if i := slices.IndexFunc(calls, func(c Call) bool { return c.Name == name }); i >= 0 {
		return calls[i], true
	}
	return Call{}, false
}

// Fits checks that EMCO takes the call in a given state. Fields that the
// call's own given leaves open can be anything. Errors are [document.Problem]s.
func (c Call) Fits(given Given) error {
	if c.During != "" {
		return document.Problem{Field: "given", Message: fmt.Sprintf("%s needs %s under way, which no given state is", c.Name, c.During),
			Remedy: "have a step make that call before, and hold rsync from the edge"}
	}
	full := given.Full()
	field, differs := c.Given.differs(full)
	for _, other := range c.Also {
		_, too := other.differs(full)
		differs = differs && too
	}
	if !differs {
		return nil
	}
	return document.Problem{
		Field:   "given." + field.name,
		Message: fmt.Sprintf("%s needs %s %s, and it is %s", c.Name, field.name, *field.value(&c.Given), *field.value(&full)),
		Remedy:  fmt.Sprintf("write given: {for: %s}, or choose another call", c.Name),
	}
}

// Request is the call itself, for the resources of one attempt.
func (c Call) Request(names Names, material Material) Request {
	if c.Creates == "" {
		request := Post(names.Group(c.Group).Anchor(c.Path))
		if c.Body != nil {
			request.JSON = c.Body(names)
		}
		return request
	}
	for _, r := range names.Resources(material) {
		if r.Kind == c.Creates {
			return r.Create
		}
	}
	// The table names only kinds that an attempt has.
	panic("emco: call " + c.Name + " creates no resource of an attempt")
}

// Shown is the number of the group whose status tells of the call.
func (c Call) Shown() int { return cmp.Or(c.Into, c.Group) }

// describing is the body of a call on a group.
func describing(spec fields) map[string]any {
	return fields{"metadata": fields{"description": "made by emco-chaos"}, "spec": spec}
}

// Status asks how far the call has come.
func (c Call) Status(names Names) Request {
	r := Get(names.Group(c.Shown()).Anchor(c.StatusPath))
	r.Query = c.StatusQuery
	return r
}

// Meaning sorts an answer that is no 2xx. A reason that the table does not know
// can go away if it is no HTTP answer, a 5xx or comes from the database.
func (c Call) Meaning(a Answer) Meaning {
	body := string(a.Body)
	for _, refusal := range c.Refusals {
		if a.Code == refusal.Code && strings.Contains(body, refusal.Text) {
			return refusal.Means
		}
	}
	if a.Code == 0 || a.Code >= 500 || strings.Contains(body, "db Find error") {
		return Wait
	}
	return Never
}
