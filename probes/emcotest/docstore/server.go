package docstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sort"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// lockTimeout is how long Open waits for a process that holds the file and is about to die.
const lockTimeout = 5 * time.Second

var bucket = []byte("documents")

// document is what is kept under one key: several values, each under a tag, as EMCO keeps a resource's data, its
// file and its state in one document.
type document struct {
	Sequence uint64                     `json:"sequence"`
	Tags     map[string]json.RawMessage `json:"tags"`
}

// Server keeps documents in a file. What it has answered outlives a SIGKILL of its process; it does not claim to
// outlive a loss of power.
type Server struct {
	db *bbolt.DB
}

// Open opens the file at path, or makes it.
func Open(path string) (*Server, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, NoSync: true, NoGrowSync: true})
	if err != nil {
		return nil, fmt.Errorf("open document store %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare document store %s: %w", path, err), db.Close())
	}
	return &Server{db: db}, nil
}

// Serve answers clients on listener until ctx ends, then closes listener, the connections and the file.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	var clients sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	for {
		connection, err := listener.Accept()
		if err != nil {
			clients.Wait()
			if ctx.Err() != nil {
				err = nil
			}
			return errors.Join(err, s.db.Close())
		}
		clients.Add(1)
		go func() {
			defer clients.Done()
			closeAtEnd := context.AfterFunc(ctx, func() { _ = connection.Close() })
			defer closeAtEnd()
			defer connection.Close()
			s.converse(connection)
		}()
	}
}

// converse answers one client until the connection breaks.
func (s *Server) converse(connection net.Conn) {
	requests := json.NewDecoder(bufio.NewReader(connection))
	replies := json.NewEncoder(connection)
	for {
		var ask request
		if err := requests.Decode(&ask); err != nil {
			return
		}
		entries, err := s.answer(ask)
		answer := reply{Entries: entries}
		if err != nil {
			answer.Refused = err.Error()
		}
		if err := replies.Encode(answer); err != nil {
			return
		}
	}
}

func (s *Server) answer(ask request) (entries []Entry, err error) {
	switch ask.Op {
	case opFind:
		err = s.db.View(func(tx *bbolt.Tx) error {
			found, err := read(tx, ask.Key)
			if err != nil {
				return err
			}
			value, ok := found.Tags[ask.Tag]
			if !ok {
				return ErrNotFound
			}
			entries = []Entry{{Key: ask.Key, Value: value}}
			return nil
		})
	case opList:
		err = s.db.View(func(tx *bbolt.Tx) error {
			entries, err = list(tx, ask.Key, ask.Depth, ask.Tag)
			return err
		})
	case opInsert:
		err = s.db.Update(func(tx *bbolt.Tx) error { return insert(tx, ask) })
	case opRemove:
		err = s.db.Update(func(tx *bbolt.Tx) error { return remove(tx, ask.Key) })
	default:
		err = fmt.Errorf("unknown operation %q", ask.Op)
	}
	return entries, err
}

func read(tx *bbolt.Tx, key string) (document, error) {
	raw := tx.Bucket(bucket).Get([]byte(key))
	if raw == nil {
		return document{}, ErrNotFound
	}
	var found document
	if err := json.Unmarshal(raw, &found); err != nil {
		return document{}, fmt.Errorf("document %s: %w", key, err)
	}
	return found, nil
}

// list returns the documents whose key is prefix plus exactly depth segments, oldest first.
func list(tx *bbolt.Tx, prefix string, depth int, tag string) ([]Entry, error) {
	type aged struct {
		Entry
		sequence uint64
	}
	var found []aged
	cursor := tx.Bucket(bucket).Cursor()
	for key, raw := cursor.Seek([]byte(prefix)); key != nil && bytes.HasPrefix(key, []byte(prefix)); key, raw = cursor.Next() {
		if strings.Count(string(key[len(prefix):]), "/") != depth-1 {
			continue
		}
		var one document
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, fmt.Errorf("document %s: %w", key, err)
		}
		if one.Tags[tag] != nil {
			found = append(found, aged{Entry{Key: string(key), Value: one.Tags[tag]}, one.Sequence})
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].sequence < found[j].sequence })
	entries := make([]Entry, len(found))
	for i := range found {
		entries[i] = found[i].Entry
	}
	return entries, nil
}

func insert(tx *bbolt.Tx, ask request) error {
	if ask.Parent != "" && tx.Bucket(bucket).Get([]byte(ask.Parent)) == nil {
		return ErrParentMissing
	}
	changed, err := read(tx, ask.Key)
	if errors.Is(err, ErrNotFound) {
		changed.Tags = map[string]json.RawMessage{}
		changed.Sequence, err = tx.Bucket(bucket).NextSequence()
	}
	if err != nil {
		return err
	}
	changed.Tags[ask.Tag] = ask.Value
	raw, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put([]byte(ask.Key), raw)
}

func remove(tx *bbolt.Tx, key string) error {
	documents := tx.Bucket(bucket)
	if documents.Get([]byte(key)) == nil {
		return ErrNotFound
	}
	below := []byte(key + "/")
	if child, _ := documents.Cursor().Seek(below); bytes.HasPrefix(child, below) {
		return ErrHasChildren
	}
	return documents.Delete([]byte(key))
}
