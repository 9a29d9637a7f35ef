package search

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParts(t *testing.T) {
	for in, want := range map[string]string{
		"KubePlugin": "kube plugin kubeplugin",
		"rna-seq":    "rna seq rnaseq",
		"RNASeq":     "rna seq rnaseq",
		"RNA_seq":    "rna seq rnaseq",
		"GVL5":       "gvl 5 gvl5",
		"ubuntu2204": "ubuntu 2204 ubuntu2204",
		"k8s":        "k8s",
		"S3":         "s3",
		"EC2":        "ec2",
		"log4j":      "log4j",
		"APIs":       "apis",
		"GPUs":       "gpus",
		"iRODS":      "irods",
		"JupyterHub": "jupyter hub jupyterhub",
		"GVLPlugin":  "gvl plugin gvlplugin",
		"3DSlicer":   "3d slicer 3dslicer",
		"C++":        "c++",
		"C#":         "c#",
		"galaxy":     "galaxy",
		"Galaxy's":   "galaxy",
		"Café":       "cafe",
		"ÜberCloud":  "uber cloud ubercloud",
		"研究データ":      "研 究 デ ー タ 研究データ",
		"":           "",
		"***":        "",
		"a-b":        "a b ab",
		"ＦＵＬＬ":       "full",
		"PhD":        "phd",
		"v1.2.3":     "v1 2 3 v123",
	} {
		if got := strings.Join(Parts(in), " "); got != want {
			t.Errorf("Parts(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTokenize(t *testing.T) {
	texts := func(tokens []token) string {
		var out []string
		for _, t := range tokens {
			out = append(out, t.text)
		}
		return strings.Join(out, " ")
	}
	for in, want := range map[string]string{
		"Launching Kubernetes clusters": "launch kubernet cluster",
		"RNA-Seq and RNASeq":            "rna seq and rna seq | rnaseq",
		"KubePlugin":                    "kube plugin | kubeplugin",
		"a | b":                         "a b",
		"":                              "",
	} {
		if got := texts(tokenize(in, false)); got != want {
			t.Errorf("tokenize(%q) = %q, want %q", in, got, want)
		}
	}
	if got := texts(tokenize("Visualisation", true)); got != "visualis | visualisation" {
		t.Errorf("with raw words: %q", got)
	}
}

// Every token stands where it says, is short, and has nothing that an engine
// would split at.
func FuzzTokenize(f *testing.F) {
	for _, s := range []string{"KubePlugin rna-seq GVL5", "Café ÜberCloud's C++", "研究データ", "\u0301\u0301a", "ǅx İ ﬁ", strings.Repeat("a", 300), "\xff\xfea"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at := 0
		for _, w := range split(s) {
			if w.start < at || w.end <= w.start || w.end > len(s) || len(w.parts) == 0 {
				t.Fatalf("%q: word %+v after %d", s, w, at)
			}
			at = w.end
		}
		for _, k := range tokenize(s, true) {
			if k.text == "" || k.start > k.end || k.end > len(s) || utf8.RuneCountInString(k.text) > maxWord+8 || len(strings.Fields(k.text)) != 1 || !utf8.ValidString(k.text) {
				t.Fatalf("%q: token %+v", s, k)
			}
			if k.text == separatorToken && k.end > 0 {
				t.Fatalf("%q: a separator in the text", s)
			}
		}
		if parts := Parts(s); slices.Contains(parts, "") {
			t.Fatalf("%q: an empty part in %q", s, parts)
		}
	})
}

// Examples from Porter's paper.
func TestStem(t *testing.T) {
	for in, want := range map[string]string{
		"caresses": "caress", "ponies": "poni", "cats": "cat", "feed": "feed", "agreed": "agre", "plastered": "plaster", "motoring": "motor",
		"sing": "sing", "conflated": "conflat", "hopping": "hop", "falling": "fall", "filing": "file", "happy": "happi", "sky": "sky",
		"relational": "relat", "conditional": "condit", "digitizer": "digit", "triplicate": "triplic", "formalize": "formal", "hopeful": "hope",
		"goodness": "good", "revival": "reviv", "adjustment": "adjust", "adoption": "adopt", "effective": "effect", "probate": "probat",
		"rate": "rate", "controll": "control", "roll": "roll", "generalizations": "gener", "clusters": "cluster", "sequencing": "sequenc",
		"is": "is", "k8s": "k8s", "京都": "京都", "c++": "c++",
	} {
		if got := stem(in); got != want {
			t.Errorf("stem(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"galaxy", "galxy", 1}, {"galaxy", "glaaxy", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}, {"京都", "東京", 2}} {
		if got := edits(c.a, c.b); got != c.want || edits(c.b, c.a) != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestSynonyms(t *testing.T) {
	for from, want := range map[string]string{
		"kubernetes": "k8", "k8s": "kubernet", "virtual machine": "vm", "vms": "virtual machin", "machine learning": "ml", "HPC": "high perform comput", "ngs": "next gener sequenc",
	} {
		found := false
		for _, s := range synonyms()[strings.Join(stems(from), " ")] {
			found = found || strings.Join(s, " ") == want || strings.Join(s, " ") == want+"s"
		}
		if !found {
			t.Errorf("%q has no synonym %q: %q", from, want, synonyms()[strings.Join(stems(from), " ")])
		}
	}
	for from, group := range synonyms() {
		if n := len(strings.Fields(from)); n > longestSynonym {
			t.Errorf("%q has %d words; queries are looked up by at most %d", from, n, longestSynonym)
		}
		if len(group) > 8 {
			t.Errorf("%q has %d synonyms", from, len(group))
		}
	}
}
