package cli

import (
	"bytes"
	"testing"

	"github.com/spf13/cobra"
)

func TestFinish(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"--version"}, "tool version v1\n"},
		{[]string{"walk", "--version"}, "tool version v1\n"},
		{[]string{"walk"}, ""},
		{[]string{"wlak"}, `unknown command "wlak" for "tool"; did you mean walk?`},
		{[]string{"dig"}, `unknown command "dig" for "tool"; use one of: completion, stay, walk`},
		{[]string{"walk", "--hats"}, "unknown flag: --hats; did you mean --hat?"},
		{[]string{"walk", "--al"}, "unknown flag: --al; did you mean --all?"},
		{[]string{"walk", "-x"}, "unknown shorthand flag: 'x' in -x"},
		{[]string{"walk", "--all=maybe"}, `invalid argument "maybe" for "--all" flag: strconv.ParseBool: parsing "maybe": invalid syntax`},
	} {
		root := &cobra.Command{Use: "tool", SilenceUsage: true, SilenceErrors: true}
		walk := &cobra.Command{Use: "walk", Args: cobra.NoArgs, Run: func(*cobra.Command, []string) {}}
		walk.Flags().Bool("all", false, "")
		root.PersistentFlags().String("hat", "", "")
		root.AddCommand(walk, &cobra.Command{Use: "stay", Run: func(*cobra.Command, []string) {}})
		Finish(root, "v1")
		root.SetArgs(test.args)
		var out bytes.Buffer
		root.SetOut(&out)
		got := ""
		if err := root.Execute(); err != nil {
			got = err.Error()
		}
		if got += out.String(); got != test.says {
			t.Errorf("%v: %q, want %q", test.args, got, test.says)
		}
	}
}
