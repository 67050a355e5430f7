package journal

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrNoJournal is the error of a file to add to that is something else.
var ErrNoJournal = errors.New("is no journal: name another file, or move this one away")

const (
	// maxSize bounds what is read of a journal, in bytes.
	maxSize = 1 << 30
	// maxLine bounds its longest line, which is that of a plan.
	maxLine = 4 << 20
	// start begins every run, and so every journal.
	start = `{"kind":"run"`
)

func hash(line []byte) string {
	sum := sha256.Sum256(bytes.TrimRight(line, "\n"))
	return hex.EncodeToString(sum[:8])
}

// Read reads a journal. What is no record, or does not follow the record before
// it, becomes a [Broken] one: that costs its own run alone.
func Read(in io.Reader) ([]Record, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxSize))
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	var records []Record
	var previous string
	chained, number := false, 0
	for line := range bytes.Lines(data) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		broken := func(format string, args ...any) {
			records = append(records, Record{Kind: Broken, Text: fmt.Sprintf(format, args...)})
		}
		record, err := parse(line)
		if err != nil {
			broken("line %d is no record (%v)", number, err)
			// A run may have been added behind a line that was cut off.
			if line = line[max(0, bytes.LastIndex(line, []byte(start))):]; len(line) > 0 {
				record, err = parse(line)
			}
		}
		first := record.Kind == Run && record.Previous == ""
		if err == nil && !first && (record.Previous != "" || chained) && record.Previous != previous {
			broken("line %d does not follow the line before it: the journal was changed after it was written", number)
		}
		previous, chained = hash(line), !first && record.Previous != ""
		if err == nil {
			records = append(records, record)
		}
	}
	return records, nil
}

func parse(line []byte) (Record, error) {
	var record Record
	err := json.Unmarshal(line, &record)
	if err == nil && (record.Kind == "" || record.Kind == Broken) {
		err = errors.New("it has no kind")
	}
	return record, err
}

// Open opens a journal to add to. The error of a file that is none is
// [ErrNoJournal]. A last line that a dead process left cut off is closed, and
// told.
func Open(path string, tell func(string)) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if err := closeLine(file, tell); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return file, nil
}

// closeLine ends the last line of a journal, which may be cut off.
func closeLine(file *os.File, tell func(string)) error {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return err
	}
	head, tail := make([]byte, len(start)), make([]byte, min(info.Size(), maxLine))
	_, headErr := file.ReadAt(head, 0)
	_, tailErr := file.ReadAt(tail, info.Size()-int64(len(tail)))
	if err := cmp.Or(headErr, tailErr); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot be read: %w", err)
	}
	whole := bytes.TrimSuffix(tail, []byte("\n"))
	last := whole[bytes.LastIndexByte(whole, '\n')+1:]
	record := []byte(start[:len(`{"kind":`)])
	if string(head) != start || !bytes.HasPrefix(last, record) && !bytes.HasPrefix(record, last) {
		return ErrNoJournal
	}
	if len(whole) < len(tail) {
		return nil
	}
	tell(fmt.Sprintf("the last line of %s was cut off: it is closed, and the run is added behind it", file.Name()))
	_, err = file.WriteString("\n")
	return err
}
