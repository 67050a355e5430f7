// Package browser opens the HTML report in a real browser.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// limit is how long the browser may take for one thing.
const limit = 2 * time.Minute

// axe is the checker of accessibility that the page is held to.
const axe = "axe-core@4.14.1"

// tab is a browser's tab.
type tab struct {
	ctx context.Context

	mu sync.Mutex
	// requests are the addresses that were asked for, and messages those of the console.
	requests, messages []string
}

// newTab opens a browser; without one the test is skipped.
func newTab(t *testing.T) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("the HTML report is not tried out: there is no Chromium; install the package chromium")
	}
	// What a root user starts has no sandbox.
	ctx, end := chromedp.NewExecAllocator(t.Context(), append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox)...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	one := &tab{ctx: ctx}
	// The first use starts the browser, and no limit of one action's may end it.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, one.hear); err != nil {
		t.Fatal(err)
	}
	one.do(t, call(network.Enable, network.EnableParams{}))
	return one
}

func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, event.Request.URL)
	case *runtime.EventConsoleAPICalled:
		b.messages = append(b.messages, fmt.Sprintf("%s %v", event.Type, event.Args))
	case *runtime.EventExceptionThrown:
		b.messages = append(b.messages, event.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.messages = append(b.messages, event.Entry.Text)
	}
}

// call is a command of the browser's protocol.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

func (b *tab) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// ask evaluates a script on the page.
func ask[T any](t *testing.T, b *tab, script string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%v: %.100s", err, script)
	}
	return answer
}

// open shows a page in a window of that width, in the scheme "light" or "dark".
func (b *tab) open(t *testing.T, page, scheme string, width int64) {
	t.Helper()
	b.do(t, chromedp.EmulateViewport(width, 900), call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}))
	b.mu.Lock()
	b.requests, b.messages = nil, nil
	b.mu.Unlock()
	b.do(t, chromedp.Navigate("file://"+page))
}

// busy is how long the page's thread has had the processor, in seconds.
func (b *tab) busy(t *testing.T) (seconds float64) {
	t.Helper()
	b.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		got, err := cdp.Call(ctx, target, performance.GetMetrics, cdp.Empty{})
		for _, metric := range got.Metrics {
			if metric.Name == "TaskDuration" {
				seconds = metric.Value
			}
		}
		return err
	}))
	return seconds
}

// picture keeps what the page looks like, for those who run with -artifacts.
func (b *tab) picture(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	taken, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(t.ArtifactDir(), name), taken, 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

// accessibility is the script that checks a page; without npm the test is skipped.
func accessibility(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("the HTML report's accessibility is not checked: there is no npm; install the packages nodejs and npm")
	}
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), npm, "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", axe)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("install %s: %v\n%s", axe, err, output)
	}
	script, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}
