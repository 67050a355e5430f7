package journal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

func TestWriteAndRead(t *testing.T) {
	var out bytes.Buffer
	var followed []journal.Record
	j := journal.New(&out, func(r journal.Record) { followed = append(followed, r) })
	j.Add(time.Now(), journal.Record{Kind: journal.Run, Run: "r"})
	j.Add(time.Now(), journal.Record{Kind: journal.Attempt, Attempt: 1})
	j.Add(time.Now(), journal.Record{Kind: journal.Event, Step: "kill", Event: "down", Detail: map[string]string{"what": "pod\n\x1b[1m"}})
	j.Add(time.Now(), journal.Record{Kind: journal.Attempt, Attempt: 2})
	if err := j.Err(); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 4 {
		t.Errorf("%d lines for 4 records", lines)
	}
	records, err := journal.Read(&out)
	if err != nil || len(records) != 4 || len(followed) != 4 {
		t.Fatalf("read %d, followed %d: %v", len(records), len(followed), err)
	}
	if records[2].Detail["what"] != "pod\n\x1b[1m" || records[2].At <= 0 {
		t.Errorf("the record came back as %+v", records[2])
	}
	attempts := journal.Split(records, journal.Attempt)
	if len(attempts) != 2 || len(attempts[0]) != 2 || len(attempts[1]) != 1 {
		t.Errorf("the attempts have %v", attempts)
	}
}

// written are the lines of a journal of one run.
func written(run string) []string {
	var out bytes.Buffer
	j := journal.New(&out)
	j.Add(time.Now(), journal.Record{Kind: journal.Run, Run: run})
	j.Add(time.Now(), journal.Record{Kind: journal.Attempt, Attempt: 1})
	j.Add(time.Now(), journal.Record{Kind: journal.Note, Text: "one"})
	j.Add(time.Now(), journal.Record{Kind: journal.End, Run: run})
	return slices.Collect(strings.Lines(out.String()))
}

// TestReadBroken changes the lines of two runs, and looks for what is told of it.
func TestReadBroken(t *testing.T) {
	const changed = "does not follow the line before it: the journal was changed after it was written"
	lines := slices.Concat(written("r1"), written("r2"))
	for _, test := range []struct {
		name   string
		change func(lines []string) []string
		// records are the kinds that are read.
		records, says string
	}{
		{name: "nothing", records: "run attempt note end run attempt note end"},
		{name: "an empty line", change: func(l []string) []string { return slices.Insert(l, 2, "\n") }, records: "run attempt note end run attempt note end"},
		{name: "no last line break", change: func(l []string) []string { l[7] = strings.TrimSpace(l[7]); return l }, records: "run attempt note end run attempt note end"},
		{name: "cut at the end", change: func(l []string) []string { l[6] = l[6][:20]; return l[:7] }, records: "run attempt note end run attempt broken", says: "line 7 is no record (unexpected end of JSON input)"},
		{name: "cut, and another run behind it", change: func(l []string) []string { l[2] = l[2][:20]; return slices.Delete(l, 3, 4) }, records: "run attempt broken run attempt note end", says: "line 3 is no record"},
		{name: "cut, and another run after it", change: func(l []string) []string { l[3] = l[3][:20] + "\n"; return l }, records: "run attempt note broken run attempt note end", says: "line 4 is no record"},
		{name: "no kind", change: func(l []string) []string { l[7] = "{}\n"; return l }, records: "run attempt note end run attempt note broken", says: "line 8 is no record (it has no kind)"},
		{name: "edited", change: func(l []string) []string { l[2] = strings.Replace(l[2], "one", "two", 1); return l }, records: "run attempt note broken end run attempt note end", says: "line 4 " + changed},
		{name: "swapped", change: func(l []string) []string { l[1], l[2] = l[2], l[1]; return l }, records: "run broken note broken attempt broken end run attempt note end", says: "line 2 " + changed},
		{name: "taken out", change: func(l []string) []string { return slices.Delete(l, 2, 3) }, records: "run attempt broken end run attempt note end", says: "line 3 " + changed},
		{name: "the first line taken out", change: func(l []string) []string { return slices.Delete(l, 4, 5) }, records: "run attempt note end broken attempt note end", says: "line 5 " + changed},
		{name: "put in", change: func(l []string) []string { return slices.Insert(l, 3, `{"kind":"note"}`+"\n") }, records: "run attempt note broken note broken end run attempt note end", says: "line 4 " + changed},
		{name: "reversed", change: func(l []string) []string { slices.Reverse(l); return l[4:] }, records: "broken end broken note broken attempt run", says: "line 1 " + changed},
		{name: "one run of two taken out", change: func(l []string) []string { return l[4:] }, records: "run attempt note end"},
		{name: "of an older version", change: func([]string) []string { return []string{`{"kind":"run"}` + "\n", `{"kind":"note"}` + "\n"} }, records: "run note"},
		{name: "no journal", change: func([]string) []string { return []string{"name: Joe\n"} }, records: "broken", says: "line 1 is no record"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := slices.Clone(lines)
			if test.change != nil {
				text = test.change(text)
			}
			records, err := journal.Read(strings.NewReader(strings.Join(text, "")))
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			says := ""
			for _, record := range records {
				kinds = append(kinds, string(record.Kind))
				if record.Kind == journal.Broken && says == "" {
					says = record.Text
				}
			}
			if got := strings.Join(kinds, " "); got != test.records || !strings.HasPrefix(says, test.says) {
				t.Errorf("read %s: %s\nwant %s: %s", got, says, test.records, test.says)
			}
		})
	}
}

// TestOpen adds to files that were something before.
func TestOpen(t *testing.T) {
	lines := written("r1")
	whole := strings.Join(lines, "")
	for _, test := range []struct {
		name, before, after string
		none, told          bool
	}{
		{name: "nothing"},
		{name: "a journal", before: whole, after: whole},
		{name: "a cut one", before: whole[:len(whole)-9], after: whole[:len(whole)-9] + "\n", told: true},
		{name: "one that was cut in the first line", before: whole[:50], after: whole[:50] + "\n", told: true},
		{name: "one that was cut and closed", before: whole[:len(whole)-9] + "\n", after: whole[:len(whole)-9] + "\n"},
		{name: "a text", before: "Dear Joe,\n", none: true},
		{name: "another JSON file", before: `{"kind":"Pod"}` + "\n", none: true},
		{name: "a log that begins as a journal", before: whole + "Dear Joe,\n", none: true},
		{name: "one line without an end", before: "Dear Joe", none: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			if test.before != "" {
				if err := os.WriteFile(path, []byte(test.before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			told := ""
			file, err := journal.Open(path, func(text string) { told = text })
			if errors.Is(err, journal.ErrNoJournal) != test.none || (told != "") != test.told {
				t.Fatalf("%v, told %q", err, told)
			}
			if test.none {
				test.after = test.before
			} else {
				file.Close()
			}
			if got, _ := os.ReadFile(path); string(got) != test.after {
				t.Errorf("it is %q, want %q", got, test.after)
			}
		})
	}
	if file, err := journal.Open("/dev/null", nil); err != nil {
		t.Error(err)
	} else {
		file.Close()
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestFullDisk(t *testing.T) {
	j := journal.New(broken{})
	j.Add(time.Now(), journal.Record{Kind: journal.Run, Run: "r"})
	if err := j.Err(); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("%v", err)
	}
	if len(j.Records()) != 1 {
		t.Error("the record is lost")
	}
}

func FuzzRead(f *testing.F) {
	seed, err := os.ReadFile("../report/testdata/passed.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("{\"kind\":\"run\"}\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := journal.Read(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%v", err)
		}
		for _, record := range records {
			if record.Kind == "" {
				t.Error("a record without kind")
			}
		}
		journal.Split(records, journal.Attempt)
	})
}
