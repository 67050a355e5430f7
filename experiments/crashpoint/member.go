package crashpoint

import (
	"strconv"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Member is a start whose call shares a kill with that of another start: on a
// deployment intent group of its own.
type Member struct {
	Start
	// Suffix ends the names of its steps.
	Suffix string
	group  string
}

const group = "dig"

// Shares reports whether the calls of two starts can be stopped by the same holds, and
// killed at once: calls of one service on different groups, which are in a given
// state.
func (s Start) Shares(other Start) bool {
	if s.Service != other.Service || s.Name() == other.Name() || s.Ahead != "" || other.Ahead != "" {
		return false
	}
	further := other.on(2)
	_, call := emco.CallNamed(further.Call)
	_, undo := emco.CallNamed(further.Undo)
	return strings.HasPrefix(s.Call, group+".") && strings.HasPrefix(other.Call, group+".") && call && undo
}

// Members are starts on the groups of an attempt from the second one on; those for
// which there is no group are left out.
func Members(starts []Start) []Member {
	var members []Member
	for i, start := range starts[:min(len(starts), emco.Groups-1)] {
		members = append(members, start.on(i+2))
	}
	return members
}

// on is the start on the group of a number.
func (s Start) on(number int) Member {
	own := group + strconv.Itoa(number)
	s.Call = strings.Replace(s.Call, group, own, 1)
	s.Undo = strings.Replace(s.Undo, group, own, 1)
	return Member{Start: s, Suffix: "-" + own, group: own}
}
