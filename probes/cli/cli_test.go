package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestFinish(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--version"}, 0, "tool version v1"},
		{[]string{"walk", "--version"}, 0, "tool version v1"},
		{[]string{"walk"}, 0, ""},
		{[]string{"wlak"}, Usage, `unknown command "wlak" for "tool"; did you mean walk?`},
		{[]string{"dig"}, Usage, `unknown command "dig" for "tool"; use one of: stay, walk`},
		{[]string{"walk", "--hats"}, Usage, "unknown flag: --hats; did you mean --hat?"},
		{[]string{"walk", "--al"}, Usage, "unknown flag: --al; did you mean --all?"},
		{[]string{"walk", "-x"}, Usage, "unknown shorthand flag: 'x' in -x"},
		{[]string{"walk", "--all=maybe"}, Usage, `invalid argument "maybe" for "--all" flag: strconv.ParseBool: parsing "maybe": invalid syntax`},
		{[]string{"walk", "--code", "3"}, 3, ""},
		{[]string{"walk", "--code", "4", "--words", "no way"}, 4, "no way"},
		{[]string{"stay", "-o", "json"}, 0, "json"},
		{[]string{"stay"}, 0, "text"},
		{[]string{"stay", "-o", "xml"}, Usage, `invalid argument "xml" for "-o, --output" flag: write -o text, html or json`},
		{[]string{"__complete", "stay", "-o", ""}, 0, "text\nhtml\njson\n:4\nCompletion ended with directive: ShellCompDirectiveNoFileComp"},
	} {
		root := &cobra.Command{Use: "tool"}
		var ends int
		var words, output string
		walk := &cobra.Command{Use: "walk", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			if words == "" {
				return Ended(ends)
			}
			return &Exit{Code: ends, Err: errors.New(words)}
		}}
		walk.Flags().IntVar(&ends, "code", 0, "")
		walk.Flags().StringVar(&words, "words", "", "")
		stay := &cobra.Command{Use: "stay", Run: func(at *cobra.Command, _ []string) { at.Print(output) }}
		Output(stay, &output, "text", "html", "json")
		walk.Flags().Bool("all", false, "")
		root.PersistentFlags().String("hat", "", "")
		root.AddCommand(walk, stay)
		Finish(root, "v1")
		var out bytes.Buffer
		code := Run(t.Context(), root, test.args, &out, &out)
		if got := strings.TrimSuffix(out.String(), "\n"); got != test.says || code != test.code {
			t.Errorf("%v: exit %d, %q, want %d, %q", test.args, code, got, test.code, test.says)
		}
	}
}
