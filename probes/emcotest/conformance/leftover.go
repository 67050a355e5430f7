package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Remove removes what a run has left that was killed before it could do so
// itself, and returns how many resources that were, and the anchors of what
// could not be removed, each with the reason. It looks again after each
// interval, and gives up when nothing changes for as long as the patience
// lasts. What does not carry the run's mark is left alone.
func Remove(ctx context.Context, client *emco.Client, run string, interval, patience time.Duration) (removed int, left map[string]string, err error) {
	possible, err := everything(run)
	if err != nil {
		return 0, nil, err
	}
	made := newLedger()
	ours := map[string]bool{} // by project and cluster provider
	for _, anchor := range possible {
		root := rootOf(anchor)
		own, asked := ours[root]
		if !asked {
			if own, err = marked(ctx, client, root, run); err != nil {
				return 0, nil, err
			}
			ours[root] = own
		}
		if !own {
			continue
		}
		there := anchor == root
		if !there {
			answer, err := client.Do(ctx, emco.Get(anchor))
			if err != nil {
				return 0, nil, err
			}
			there = !answer.Missing()
		}
		if there {
			made.anchors[anchor] = true
		}
	}
	found := len(made.anchors)
	left = made.removeAll(ctx, client, interval, patience)
	return found - len(left), left, nil
}

// rootOf is the project or the cluster provider that an anchor lies in.
func rootOf(anchor string) string {
	return strings.Join(strings.Split(anchor, "/")[:2], "/")
}

// marked says whether a project or a cluster provider is there and carries a
// run's mark.
func marked(ctx context.Context, client *emco.Client, anchor, run string) (bool, error) {
	answer, err := client.Do(ctx, emco.Get(anchor))
	switch {
	case err != nil:
		return false, err
	case answer.Missing():
		return false, nil
	case answer.Outcome.Kind != emco.Accepted:
		return false, fmt.Errorf("%w: GET %s: %s", ErrUnreached, anchor, answer)
	}
	return answer.Mark() == emco.Mark(run), nil
}

// everything lists the anchors of all that a run may make, parents first.
func everything(run string) ([]string, error) {
	records, err := Records()
	if err != nil {
		return nil, err
	}
	sets, err := Sets()
	if err != nil {
		return nil, err
	}
	var anchors []string
	known := map[string]bool{}
	for i, set := range sets {
		numbered, err := emco.NewNames(run, i+1)
		if err != nil {
			return nil, err
		}
		n := names{numbered}
		add := func(path, body string) {
			collection := n.anchor(path)
			anchor := createdAt(collection, n.sent(path, body))
			if anchor != "" && !known[anchor] && !strings.HasPrefix(collection, "controllers") {
				known[anchor] = true
				anchors = append(anchors, anchor)
			}
		}
		for _, record := range records {
			if record.Set != set {
				continue
			}
			for _, step := range before[record.Number] {
				if made, ok := step.(create); ok {
					for _, each := range made {
						add(each.path, each.body)
					}
				}
			}
			if record.Method == http.MethodPost && record.Status == http.StatusCreated {
				add(record.Path, record.Body)
			}
		}
	}
	return anchors, nil
}
