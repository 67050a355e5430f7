package main

import (
	"bytes"
	"testing"
)

func TestTally(t *testing.T) {
	told := `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA/one","Output":"    --- PASS: TestA/one (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: no cluster\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestC/kind","Output":"    c_test.go:9: it is created\n"}
{"Action":"output","Package":"p","Test":"TestC/kind","Output":"    c_test.go:3: no netem\n"}
{"Action":"output","Package":"p","Test":"TestC/kind","Output":"        in the kernel\n"}
{"Action":"output","Package":"p","Test":"TestC/kind","Output":"    --- SKIP: TestC/kind (0.00s)\n"}
{"Action":"output","Package":"p","Test":"TestC/fine","Output":"    c_test.go:1: fine\n"}
{"Action":"output","Package":"p","Test":"TestC/bad","Output":"=== RUN   TestC/bad\n"}
{"Action":"output","Package":"p","Test":"TestC/bad","Output":"    c_test.go:2: refused\n"}
{"Action":"output","Package":"p","Test":"TestC","Output":"--- FAIL: TestC (0.00s)\n"}
{"Action":"output","Package":"p","Test":"TestC/bad","Output":"    --- FAIL: TestC/bad (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestC/bad"}
{"Action":"skip","Package":"p","Test":"TestC/kind"}
{"Action":"pass","Package":"p","Test":"TestC/fine"}
{"Action":"fail","Package":"p","Test":"TestC"}
# q
{"ImportPath":"q","Action":"build-output","Output":"q/q.go:1: undefined: x\n"}
{"Action":"output","Package":"q","Output":"FAIL\tq [build failed]\n"}
{"Action":"fail","Package":"q"}
{"Action":"skip","Package":"r"}
{"Action":"pass","Package":"p","Test":"TestD"}
`
	printed := `=== RUN   TestA
    --- PASS: TestA/one (0.00s)
    b_test.go:1: no cluster
    c_test.go:9: it is created
    c_test.go:3: no netem
        in the kernel
    --- SKIP: TestC/kind (0.00s)
    c_test.go:1: fine
=== RUN   TestC/bad
    c_test.go:2: refused
--- FAIL: TestC (0.00s)
    --- FAIL: TestC/bad (0.00s)
# q
q/q.go:1: undefined: x
FAIL	q [build failed]
`
	summary := `skipped: p TestB
      b_test.go:1: no cluster
skipped: p TestC/kind
      c_test.go:3: no netem
          in the kernel
failed: p TestC/bad
      c_test.go:2: refused
      --- FAIL: TestC/bad (0.00s)
failed: p TestC
  --- FAIL: TestC (0.00s)
failed: q
  FAIL	q [build failed]
end-to-end tests: 2 passed, 1 failed, 1 skipped; subtests skipped: 1`
	var out bytes.Buffer
	counted := newTally(&out)
	// In pieces, as a pipe gives them.
	for _, piece := range bytes.SplitAfter([]byte(told), []byte(`"p`)) {
		if _, err := counted.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != printed {
		t.Errorf("it passed on\n%s", out.String())
	}
	if got := counted.String(); got != summary {
		t.Errorf("it sums up\n%s", got)
	}
}
