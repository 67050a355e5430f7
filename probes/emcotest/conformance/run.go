package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Options say how an EMCO is asked.
type Options struct {
	// Run names the run. All that it makes carries that name and mark.
	Run string
	// Kubeconfig is that of the edge cluster.
	Kubeconfig []byte
	// Rsync is HOST:PORT of rsync's gRPC port, as EMCO reaches it. It is
	// needed only where rsync is not registered yet.
	Rsync string
	// Sets are the sets of records to ask; nil means all.
	Sets []string
	// Hand stops and starts the services of an emulated EMCO that nobody
	// else uses. With one, the records are asked too that need it, one set
	// on one EMCO that is empty, and nothing is removed at the end.
	Hand Hand
	// Patience is how long a state is waited for; 0 means 30 s. Settle is
	// how long a status may stay what was not recorded; 0 means 5 s.
	// Interval is the time between two looks; 0 means 100 ms.
	Patience, Settle, Interval time.Duration
	// Removal is how long the removal may take; 0 means 2 min. It ends sooner
	// when nothing changes for as long as the patience lasts.
	Removal time.Duration
	// Abandon, when it is closed, ends the wait for what is under way, and
	// the removal.
	Abandon <-chan struct{}
}

func (o Options) withDefaults() Options {
	for _, each := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&o.Patience, 30 * time.Second}, {&o.Settle, 5 * time.Second},
		{&o.Interval, 100 * time.Millisecond}, {&o.Removal, 2 * time.Minute},
	} {
		if *each.value == 0 {
			*each.value = each.usual
		}
	}
	return o
}

// Kind says what became of a record.
type Kind string

// What can become of a record.
const (
	// AsRecorded: EMCO answered as it was recorded.
	AsRecorded Kind = "as recorded"
	// Different: EMCO answered differently, or did not come to the state
	// that the record needs.
	Different Kind = "different"
	// NotAsked: the record was not asked, for the reason given.
	NotAsked Kind = "not asked"
)

// Result is what became of a record.
type Result struct {
	Record Record
	Kind   Kind
	// Request is what was asked: the method and the URL.
	Request string
	// Expected and Got are the two answers, without what is the same at the
	// beginning of long bodies. They are empty but for a difference.
	Expected, Got Said
	// Reason says why the record was not asked, or in what state EMCO was
	// not.
	Reason string
}

// Summary counts the records by what became of them.
type Summary struct {
	AsRecorded, Different, NotAsked int
	// Left are the anchors of what the run made and could not remove, each
	// with the reason.
	Left map[string]string
}

func (s *Summary) count(result Result) {
	switch result.Kind {
	case AsRecorded:
		s.AsRecorded++
	case Different:
		s.Different++
	case NotAsked:
		s.NotAsked++
	}
}

// ErrUnreached says that EMCO did not answer.
var ErrUnreached = errors.New("EMCO could not be asked on")

// Run asks an EMCO the records, in their order, and tells each result as soon
// as it is there. What the run made is removed in the end, also when ctx ends
// before that; a call that is under way then is waited for. An error means
// that not all could be asked: it wraps [ErrUnreached] or ctx's own.
func Run(ctx context.Context, client *emco.Client, options Options, tell func(Result)) (summary Summary, err error) {
	options = options.withDefaults()
	records, err := Records()
	if err != nil {
		return Summary{}, err
	}
	if _, err := emco.NewNames(options.Run, 1); err != nil {
		return Summary{}, err
	}
	// Calls live on when ctx ends, and end when they are abandoned.
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-options.Abandon:
			cancel()
		case <-calls.Done():
		}
	}()
	defer func() { cancel(); <-watched }()

	made := newLedger()
	told := func(result Result) {
		summary.count(result)
		tell(result)
	}
	err = ask(ctx, calls, client, options, records, made, told)
	if options.Hand == nil {
		limited, end := context.WithTimeout(calls, options.Removal)
		defer end()
		summary.Left = made.removeAll(limited, client, options.Interval, options.Patience)
	}
	return summary, err
}

// ask asks the records of all sets that are wanted.
func ask(ctx, calls context.Context, client *emco.Client, options Options, records []Record, made *ledger, tell func(Result)) error {
	sets, err := Sets()
	if err != nil {
		return err
	}
	for i, set := range sets {
		if options.Sets != nil && !slices.Contains(options.Sets, set) {
			continue
		}
		own, err := emco.NewNames(options.Run, i+1)
		if err != nil {
			return err
		}
		p := &player{
			Options: options, client: client, ledger: made, records: records, names: names{own},
			bodies: map[string]string{}, early: map[int]emco.Answer{},
			calls: func() context.Context { return calls },
		}
		of := slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.Set != set })
		if err := p.play(ctx, of, tell); err != nil {
			return err
		}
	}
	return nil
}

// play asks the records of one set. What is not asked of any EMCO is left
// out, with all that comes before it if the whole set is.
func (p *player) play(ctx context.Context, records []Record, tell func(Result)) error {
	lost := "" // why no more is asked
	for _, record := range records {
		reason := p.reason(record)
		if lost != "" && reason == "" {
			reason = lost
		}
		if lost == "" && !(p.Hand == nil && emulatedSets[record.Set] != "") {
			err := p.prepare(ctx, record)
			if state, ok := errors.AsType[*unprepared](err); ok {
				lost = fmt.Sprintf("EMCO did not come to the state before record %d", record.Number)
				if reason == "" {
					tell(Result{Record: record, Kind: Different, Reason: state.what})
					continue
				}
			} else if err != nil {
				return stopped(record, err)
			}
		}
		if reason != "" {
			tell(Result{Record: record, Kind: NotAsked, Reason: reason})
			continue
		}
		result, err := p.ask(ctx, record)
		if err != nil {
			return stopped(record, err)
		}
		tell(result)
	}
	return nil
}

// stopped is the error of a run that ends at a record.
func stopped(record Record, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("ended at record %d: %w", record.Number, err)
	}
	return fmt.Errorf("%w at record %d, %s: %w", ErrUnreached, record.Number, record.Call, err)
}

func (p *player) prepare(ctx context.Context, record Record) error {
	return several(before[record.Number]).do(ctx, p)
}

// reason says why a record is not asked; empty if it is.
func (p *player) reason(record Record) string {
	if why := chance[record.Number]; why != "" {
		return why
	}
	if p.Hand != nil {
		return ""
	}
	return record.emulatedOnly()
}
