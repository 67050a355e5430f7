package local

import "bytes"

const (
	// preface is what an HTTP/2 client sends first.
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// frameHeader is the length of the header of an HTTP/2 frame, and headersFrame
	// the type of the frame that begins a request (RFC 9113, 4.1 and 6.2).
	frameHeader  = 9
	headersFrame = 1
)

// requests counts the requests that begin on a connection: in HTTP/2, and so in
// gRPC, the streams that the client opens, and else each time that it sends after
// something was answered.
type requests struct {
	begun, http2, asked bool
	// header is what has come of a frame's header, and skip is how much is left of
	// what stands between two of them.
	header []byte
	skip   int
}

// asks counts the requests that begin in what the client sends.
func (r *requests) asks(data []byte) (begun int) {
	if !r.begun {
		r.begun, r.http2 = true, bytes.HasPrefix(data, []byte(preface))
		if r.http2 {
			r.skip = len(preface)
		}
	}
	if !r.http2 {
		if !r.asked && len(data) > 0 {
			r.asked, begun = true, 1
		}
		return begun
	}
	for len(data) > 0 {
		if r.skip > 0 {
			n := min(r.skip, len(data))
			r.skip, data = r.skip-n, data[n:]
			continue
		}
		n := min(frameHeader-len(r.header), len(data))
		r.header, data = append(r.header, data[:n]...), data[n:]
		if len(r.header) < frameHeader {
			break
		}
		if r.header[3] == headersFrame {
			begun++
		}
		r.skip = int(r.header[0])<<16 | int(r.header[1])<<8 | int(r.header[2])
		r.header = r.header[:0]
	}
	return begun
}

// answered notes that the server sent something.
func (r *requests) answered() { r.asked = false }
