package controller

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
)

// journalSuffix ends the name of a journal's file: EXPERIMENT-RUN.jsonl.
const journalSuffix = ".jsonl"

// runName is what a run may be called.
var runName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)

// archive is the folder of the last journals.
type archive struct {
	root *os.Root
	keep int
}

func openArchive(folder string, keep int) (*archive, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for journals: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open the folder for journals: %w", err)
	}
	return &archive{root: root, keep: keep}, nil
}

// create makes the journal of a new run, and removes the oldest that are too
// many.
func (a *archive) create(experiment, run string) (*os.File, error) {
	file, err := a.root.OpenFile(experiment+"-"+run+journalSuffix, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("make the journal: %w", err)
	}
	if err := a.prune(); err != nil {
		return nil, errors.Join(fmt.Errorf("remove old journals: %w", err), file.Close())
	}
	return file, nil
}

func (a *archive) prune() error {
	type old struct {
		name string
		at   time.Time
	}
	entries, err := fs.ReadDir(a.root.FS(), ".")
	if err != nil {
		return err
	}
	var journals []old
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && strings.HasSuffix(entry.Name(), journalSuffix) {
			journals = append(journals, old{entry.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(journals, func(x, y old) int { return cmp.Or(y.at.Compare(x.at), cmp.Compare(x.name, y.name)) })
	for _, journal := range journals[min(a.keep, len(journals)):] {
		if err := a.root.Remove(journal.name); err != nil {
			return err
		}
	}
	return nil
}

// find returns what the journal of a run says; false when there is none.
func (a *archive) find(run string) (report.Run, bool, error) {
	if !runName.MatchString(run) {
		return report.Run{}, false, nil
	}
	names, err := fs.Glob(a.root.FS(), "*-"+run+journalSuffix)
	if err != nil || len(names) == 0 {
		return report.Run{}, false, err
	}
	file, err := a.root.Open(names[0])
	if err != nil {
		return report.Run{}, false, fmt.Errorf("open the journal of run %s: %w", run, err)
	}
	defer file.Close()
	records, err := journal.Read(file)
	if err != nil {
		return report.Run{}, false, fmt.Errorf("the journal of run %s: %w", run, err)
	}
	for _, one := range report.Runs(records) {
		if one.Name == run {
			return one, true, nil
		}
	}
	return report.Run{}, false, nil
}

func (a *archive) close() error { return a.root.Close() }
