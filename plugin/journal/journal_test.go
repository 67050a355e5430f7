package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
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

func TestReadMistakes(t *testing.T) {
	good := `{"kind":"note","at":1}` + "\n"
	for _, test := range []struct {
		name, text string
		records    int
		line       int
	}{
		{name: "empty"},
		{name: "a last line that was cut off", text: good + `{"kind":"no`, records: 1},
		{name: "a last line without its end", text: good + `{"kind":"note","at":1}`, records: 2},
		{name: "a line in the middle that is no record", text: good + "{]\n" + good, records: 1, line: 2},
		{name: "a record of no kind", text: good + good + "{}\n", records: 2, line: 3},
		{name: "an empty line", text: good + "\n" + good, records: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			records, err := journal.Read(strings.NewReader(test.text))
			line := 0
			if err != nil {
				_, _ = fmt.Sscanf(err.Error(), "line %d is no journal record: ", &line)
			}
			if len(records) != test.records || line != test.line {
				t.Errorf("%d records, %v", len(records), err)
			}
		})
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
		if err != nil && !strings.HasPrefix(err.Error(), "line ") {
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
