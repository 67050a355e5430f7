package controller

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"

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
	names, err := fs.Glob(a.root.FS(), "*"+journalSuffix)
	if err != nil {
		return err
	}
	var journals []fs.FileInfo
	for _, name := range names {
		info, err := a.root.Lstat(name)
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			journals = append(journals, info)
		}
	}
	slices.SortStableFunc(journals, func(x, y fs.FileInfo) int { return y.ModTime().Compare(x.ModTime()) })
	for _, info := range journals[min(a.keep, len(journals)):] {
		if err := a.root.Remove(info.Name()); err != nil {
			return err
		}
	}
	return nil
}

// find returns what the journal of a run says.
func (a *archive) find(run string) (report.Run, error) {
	unknown := &statusError{code: http.StatusNotFound, text: fmt.Sprintf("there is no run %q, or it is so long ago that it is forgotten", run)}
	if !runName.MatchString(run) {
		return report.Run{}, unknown
	}
	names, err := fs.Glob(a.root.FS(), "*-"+run+journalSuffix)
	switch {
	case err != nil:
		return report.Run{}, err
	case len(names) == 0:
		return report.Run{}, unknown
	}
	file, err := a.root.Open(names[0])
	if err != nil {
		return report.Run{}, fmt.Errorf("open the journal of run %s: %w", run, err)
	}
	defer file.Close()
	records, err := journal.Read(file)
	if err != nil {
		return report.Run{}, fmt.Errorf("the journal of run %s: %w", run, err)
	}
	for _, one := range report.Runs(records) {
		if one.Name == run {
			return one, nil
		}
	}
	return report.Run{}, unknown
}
