package controller

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

const (
	// journalKey is where a ConfigMap has a journal.
	journalKey = "journal.jsonl.gz"
	// longestJournal leaves room in the 1 MiB that a ConfigMap may have.
	longestJournal = 1<<20 - 16<<10
)

// keep stores a journal as a ConfigMap that the Run owns, and says where.
func (q *queue) keep(ctx context.Context, run *v1alpha1.Run, records []journal.Record) (*v1alpha1.Journal, error) {
	if len(records) == 0 {
		return nil, nil
	}
	data, omitted, err := pack(records, longestJournal)
	if err != nil {
		return nil, err
	}
	name := run.Name + "-journal"
	if err := q.keepFiles(ctx, run, name, nil, map[string][]byte{journalKey: data}); err != nil {
		return nil, err
	}
	return &v1alpha1.Journal{ConfigMap: name, Omitted: int32(omitted)}, nil
}

// keepFiles stores files as a ConfigMap that the Run owns.
func (q *queue) keepFiles(ctx context.Context, run *v1alpha1.Run, name string, text map[string]string, binary map[string][]byte) error {
	kept := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: run.Namespace, Name: name}, Data: text, BinaryData: binary}
	if err := controllerutil.SetOwnerReference(run, kept, q.Cluster.Scheme()); err != nil {
		return err
	}
	err := untilTaken(ctx, func(ctx context.Context) error {
		kept.ResourceVersion = ""
		return q.Cluster.Create(ctx, kept)
	})
	// The answer to the first try may have been lost.
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("keep the ConfigMap %s: %w", name, err)
	}
	return nil
}

// lost tells that something of a run could not be kept.
func (q *queue) lost(run *v1alpha1.Run, told *teller, what string, err error) {
	q.Log.Error("lost", "what", what, "run", run.Name, "error", err)
	told.onRun(false, "Lost", fmt.Sprintf("%s is lost: %v", what, err))
}

// pack compresses a journal. Of one that is too long the first records are left
// out, as many as it takes, but for those that have the plan and begin attempts.
func pack(records []journal.Record, limit int) (data []byte, omitted int, err error) {
	for {
		var packed bytes.Buffer
		var failed error
		zip := gzip.NewWriter(&packed)
		out := json.NewEncoder(zip)
		for i, record := range records {
			switch {
			case i >= omitted, record.Kind == journal.Run, record.Kind == journal.Attempt:
			case i == omitted-1:
				record = journal.Record{Kind: journal.Note, At: record.At, Time: record.Time, Text: fmt.Sprintf("%d records up to here do not fit and are left out", omitted)}
			default:
				continue
			}
			failed = errors.Join(failed, out.Encode(record))
		}
		if err := errors.Join(failed, zip.Close()); err != nil {
			return nil, 0, fmt.Errorf("pack the journal: %w", err)
		}
		if packed.Len() <= limit || omitted == len(records) {
			return packed.Bytes(), omitted, nil
		}
		omitted += (len(records) - omitted + 3) / 4
	}
}

// ReadJournal reads the journal of a Run. One that has none is an error that
// says why.
func ReadJournal(ctx context.Context, cluster client.Reader, key client.ObjectKey) ([]journal.Record, error) {
	run := &v1alpha1.Run{}
	if err := cluster.Get(ctx, key, run); err != nil {
		return nil, fmt.Errorf("read the Run: %w", err)
	}
	switch {
	case run.Status.Phase != v1alpha1.Finished:
		return nil, fmt.Errorf("it has not finished; `kubectl get ecrun %s --watch` tells when", run.Name)
	case run.Status.Journal == nil:
		return nil, fmt.Errorf("it has no journal: %s: %s", run.Status.Verdict, run.Status.Reason)
	}
	kept := &corev1.ConfigMap{}
	if err := cluster.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: run.Status.Journal.ConfigMap}, kept); err != nil {
		return nil, fmt.Errorf("read its journal: %w", err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(kept.BinaryData[journalKey]))
	if err != nil {
		return nil, fmt.Errorf("read its journal: %w", err)
	}
	return journal.Read(unpacked)
}
