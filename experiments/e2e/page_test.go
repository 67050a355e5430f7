package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
)

// longestName is how much of a name the dashboard's lists show.
const longestName = 30

// pageLimit is how long the page may take to show what is there.
const pageLimit = 30 * time.Second

// tab is a browser's, with the dashboard's page.
type tab struct {
	ctx     context.Context
	address string
}

// TestPage does what a person does who runs experiments from the dashboard: logs
// in, chooses the namespace, opens a Schedule's page, reads what it does,
// starts it, and reloads until the verdict is there.
func TestPage(t *testing.T) {
	s := here(t)
	visitor := s.dashboard(t)
	page := newTab(t, visitor.address)
	s.install(t, s.given())
	user := s.logIn(t, visitor)
	var schedules map[string]dashboardSchedule
	eventually(t, time.Minute, func(ctx context.Context) (err error) {
		if schedules, err = user.schedules(ctx); err == nil && len(schedules) != len(experiments.Names()) {
			err = fmt.Errorf("the dashboard shows %d schedules", len(schedules))
		}
		return err
	})
	page.logIn(t, user.token)
	page.choose(t, home)
	page.lists(t, schedules)

	const first, second = "01-dig-instantiate-in-flight", "03-service-refused"
	t.Run("passes", func(t *testing.T) {
		page.open(t, schedules[first])
		page.defines(t, "Orchestrator dies while the call that instantiates an application is in flight", "its logical cloud is instantiated")
		page.start(t, first)
		// Another one meanwhile: it waits, and says so.
		page.open(t, schedules[second])
		page.start(t, second)
		started := time.Now()
		page.shows(t, time.Minute, func(events []string) bool {
			return slices.ContainsFunc(events, func(event string) bool { return strings.HasPrefix(event, "waits for its turn: 1 run before it") })
		})
		t.Logf("%s says that it waits %v after its start", second, time.Since(started).Round(time.Millisecond))
		for _, name := range []string{first, second} {
			page.open(t, schedules[name])
			page.ends(t, "Passed: recovered: ", name+".png")
			found, err := s.workflows(t.Context(), name)
			if err != nil || len(found) != 1 {
				t.Fatalf("one start of %s made %d workflows: %v", name, len(found), err)
			}
			// Chaos Mesh has nothing more to say about it.
			if !accomplished(found[0]) {
				t.Errorf("the verdict is told while %s goes on", found[0].Name)
			}
		}
	})
	t.Run("fails", func(t *testing.T) {
		s.withBug(t, "orchestrator", string(bug.WrongCodeOnReissue))
		page.open(t, schedules[first])
		page.start(t, first)
		page.ends(t, "Failed: ", first+"-fails.png")
	})
	s.clean(t)
}

// newTab opens a browser on the dashboard. Without a browser or a page the test
// is skipped.
func newTab(t *testing.T, address string) *tab {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("the dashboard's page is not tried out: there is no Chromium; install the package chromium")
	}
	var index string
	eventually(t, time.Minute, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		index = string(text)
		return err
	})
	if strings.Contains(index, "UI is not built") {
		t.Skip("the dashboard's page is not tried out: this dashboard has none; install Node.js, 20.19 or later, with npm, and bring the cluster up again")
	}
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	// What a root user starts has no sandbox.
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.WindowSize(1600, 1100),
		// The page asks the Internet for its fonts, and each time it is loaded waits
		// for an answer that does not come here.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE "+at.Hostname()))
	ctx, end := chromedp.NewExecAllocator(during(t), options...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	page := &tab{ctx: ctx, address: address}
	// The first use starts the browser, and no limit of one action's may end it.
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	return page
}

// do does something on the page, which must be possible within pageLimit.
func (p *tab) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageLimit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.picture(t, "stuck.png")
		t.Fatal(err)
	}
}

// still says that nothing on the page moves.
const still = `!document.getAnimations().some(each => each instanceof CSSTransition)`

// click clicks on something when it is there and moves no more.
func (p *tab) click(t *testing.T, what string) {
	t.Helper()
	p.do(t, chromedp.WaitVisible(what))
	p.sees(t, still)
	p.do(t, chromedp.Click(what))
}

// sees waits until an expression is true on the page.
func (p *tab) sees(t *testing.T, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageLimit)
	defer cancel()
	err := poll(ctx, func(ctx context.Context) error {
		if is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err != nil || !is {
			return errors.Join(fmt.Errorf("the page does not come to %s", expression), err)
		}
		return nil
	})
	if err != nil {
		p.picture(t, "stuck.png")
		t.Fatal(err)
	}
}

// picture keeps what the page looks like.
func (p *tab) picture(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageLimit)
	defer cancel()
	taken, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(artefact(t, name), taken, 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

// logIn gives the page a token, with which it loads itself again.
func (p *tab) logIn(t *testing.T, token string) {
	t.Helper()
	p.do(t, chromedp.SendKeys(`input[name="name"]`, "tester"), chromedp.Focus(`textarea[name="token"]`),
		chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, input.InsertText, input.InsertTextParams{Text: token})
			return err
		}))
	p.click(t, `form button[type="submit"]`)
	p.sees(t, `performance.getEntriesByType("navigation")[0].type === "reload" && document.querySelector(".tutorial-end, .tutorial-newW") !== null`)
}

// choose chooses the namespace on the first page.
func (p *tab) choose(t *testing.T, namespace string) {
	t.Helper()
	p.click(t, `.tutorial-namespace input`)
	p.click(t, fmt.Sprintf(`//li[@role="option" and text()=%q]`, namespace))
	p.sees(t, fmt.Sprintf(`localStorage.getItem("chaos-mesh-global-namespace") === %q`, namespace))
}

// lists looks through the list of Schedules: each is there with all of its
// name.
func (p *tab) lists(t *testing.T, schedules map[string]dashboardSchedule) {
	t.Helper()
	p.click(t, `.tutorial-schedules`)
	p.sees(t, `document.querySelector('div[title^="0"]') !== null`)
	var order []string
	for name := range schedules {
		if len(name) > longestName {
			t.Errorf("the page cuts %s", name)
		}
	}
	// The list has what is in its window only.
	const scroll = `(() => {
		const named = [...document.querySelectorAll("div[title]")].filter(e => /^[0-9]{2}-/.test(e.title));
		let list = named[0];
		while (list && getComputedStyle(list).overflowY !== "auto") list = list.parentElement;
		list.scrollTop += 70;
		return named.map(e => e.title + "\n" + e.textContent);
	})()`
	eventually(t, pageLimit, func(context.Context) error {
		shown, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string](scroll))
		if err != nil {
			return err
		}
		for _, one := range shown {
			name, text, _ := strings.Cut(one, "\n")
			if name != text {
				t.Fatalf("the page shows %q for %s", text, name)
			}
			if !slices.Contains(order, name) {
				order = append(order, name)
			}
		}
		if len(order) < len(schedules) {
			return fmt.Errorf("the page lists %v", order)
		}
		return nil
	})
	t.Logf("the page lists %s", strings.Join(order, ", "))
}

// open opens the page of a Schedule.
func (p *tab) open(t *testing.T, schedule dashboardSchedule) {
	t.Helper()
	p.do(t, chromedp.Navigate(p.address+"/#/schedules/"+schedule.UID))
	p.sees(t, fmt.Sprintf(`document.title === "Schedule " + %q && document.querySelector(".ace_content") !== null`, schedule.Name))
}

// defines sees texts in what the page shows of a Schedule's definition.
func (p *tab) defines(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		p.sees(t, fmt.Sprintf(`[...document.querySelectorAll(".ace_line")].map(e => e.textContent.trim()).join(" ").includes(%q)`, text))
	}
}

// start presses Start on the page of a Schedule, and Confirm.
func (p *tab) start(t *testing.T, name string) {
	t.Helper()
	p.click(t, `//main//button[normalize-space()="Start"]`)
	p.do(t, chromedp.WaitVisible(fmt.Sprintf(`//*[@role="dialog"]//*[normalize-space()=%q]`, "Start "+name)))
	p.click(t, `//*[@role="dialog"]//button[normalize-space()="Confirm"]`)
	p.do(t, chromedp.WaitVisible(`//*[@role="alert" and contains(., "Started successfully")]`))
}

// shows reloads the page of a Schedule until its events, the latest first, are
// as wanted. It never gets new ones by itself.
func (p *tab) shows(t *testing.T, limit time.Duration, wanted func(events []string) bool) (events []string) {
	t.Helper()
	const read = `[...document.querySelectorAll(".MuiTimelineItem-root")].map(e => e.querySelector("p.MuiTypography-body2").textContent)`
	eventually(t, limit, func(context.Context) (err error) {
		p.do(t, chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(`.ace_content`)))
		if events, err = chromedp.Run(p.ctx, chromedp.Evaluate[[]string](read)); err == nil && !wanted(events) {
			err = fmt.Errorf("the page shows the events\n%s", strings.Join(events, "\n"))
		}
		return err
	})
	return events
}

// ends waits for a verdict on the page of a Schedule: it is at the top, and
// whatever Chaos Mesh warns of below it.
func (p *tab) ends(t *testing.T, verdict, picture string) {
	t.Helper()
	events := p.shows(t, runLimit, func(events []string) bool { return len(events) > 0 && strings.HasPrefix(events[0], verdict) })
	t.Logf("the page shows the events\n%s", strings.Join(events, "\n"))
	p.sees(t, still)
	p.picture(t, picture)
}
