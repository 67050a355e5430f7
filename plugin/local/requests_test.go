package local

import "testing"

// frame is an HTTP/2 frame of a type.
func frame(kind byte, payload string) string {
	return string([]byte{0, byte(len(payload) >> 8), byte(len(payload)), kind, 0, 0, 0, 0, 1}) + payload
}

func TestRequests(t *testing.T) {
	const settings, data, windowUpdate, ping = 4, 0, 8, 6
	call := frame(headersFrame, "path") + frame(data, preface)
	for name, test := range map[string]struct {
		sent []string // "" stands for an answer
		want int
	}{
		"nothing":                   {nil, 0},
		"one request in parts":      {[]string{"SET a", " 1"}, 1},
		"one after another":         {[]string{"GET a", "", "GET b", "", "", "GET c"}, 3},
		"HTTP/2 without a request":  {[]string{preface + frame(settings, "") + frame(windowUpdate, "1234"), "", frame(ping, "12345678")}, 0},
		"HTTP/2":                    {[]string{preface + frame(settings, "") + call, "", frame(settings, "") + frame(windowUpdate, "1234"), "", call}, 2},
		"several at once in HTTP/2": {[]string{preface + call + call, call}, 3},
		"a long frame":              {[]string{preface + frame(data, string(make([]byte, 20000))) + call}, 1},
	} {
		for _, whole := range []bool{true, false} {
			var r requests
			got := 0
			for i, text := range test.sent {
				switch {
				case text == "":
					r.answered()
				case whole || i == 0 && len(text) < len(preface):
					got += r.asks([]byte(text))
				default:
					first := min(len(preface), len(text))
					got += r.asks([]byte(text[:first]))
					for _, one := range []byte(text[first:]) {
						got += r.asks([]byte{one})
					}
				}
			}
			if got != test.want {
				t.Errorf("%s, whole %v: %d requests, not %d", name, whole, got, test.want)
			}
		}
	}
}

// FuzzRequests: in whatever pieces HTTP/2 comes, its requests are the same.
func FuzzRequests(f *testing.F) {
	f.Add([]byte(frame(headersFrame, "path")+frame(0, "data")), 3)
	f.Add([]byte(frame(headersFrame, "")+frame(headersFrame, "")), 9)
	f.Fuzz(func(t *testing.T, frames []byte, cut int) {
		cut = max(0, min(cut, len(frames)))
		var whole, parts requests
		want := whole.asks(append([]byte(preface), frames...))
		got := parts.asks([]byte(preface)) + parts.asks(frames[:cut]) + parts.asks(frames[cut:])
		if got != want {
			t.Errorf("%d requests, and %d when cut at %d", want, got, cut)
		}
	})
}
