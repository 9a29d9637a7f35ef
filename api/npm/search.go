package npm

import (
	"context"
	"slices"
	"strings"
	"time"

	"appstore/registry"
	"appstore/schema"
	"appstore/search"
)

// Limits of a search.
const (
	MaxSize = 250  // packages in one answer, as npm's own registry has it
	MaxFrom = 5000 // packages that are skipped
)

// Found is the answer to a search.
type Found struct {
	Objects []Object `json:"objects"`
	// Total counts the packages. Plugins behind this page count as one each,
	// since what they bring is looked up only when they are shown.
	Total int       `json:"total"`
	Time  time.Time `json:"time"`
}

// Object is one package found.
type Object struct {
	Package     Summary `json:"package"`
	Score       Score   `json:"score"`
	SearchScore float64 `json:"searchScore"`
}

// Score is npm's form of one. The index gives one number, made of text match,
// trust, adoption and freshness; the parts that npm would show repeat it.
type Score struct {
	Final  float64 `json:"final"`
	Detail struct {
		Quality     float64 `json:"quality"`
		Popularity  float64 `json:"popularity"`
		Maintenance float64 `json:"maintenance"`
	} `json:"detail"`
}

// Summary is what a search shows of a package.
type Summary struct {
	Name        string    `json:"name"`
	Scope       string    `json:"scope"`
	Version     string    `json:"version"`
	Description string    `json:"description,omitempty"`
	Keywords    []string  `json:"keywords"`
	Date        time.Time `json:"date"`
	Links       links     `json:"links"`
	Publisher   user      `json:"publisher"`
	Maintainers []user    `json:"maintainers"`
}

type links struct {
	NPM        string `json:"npm"` // the plugin's page
	Homepage   string `json:"homepage,omitempty"`
	Repository string `json:"repository,omitempty"`
}

type user struct {
	Username string `json:"username"`
	Email    string `json:"email,omitempty"`
}

// Search answers from the index of plugins with the npm packages that their
// default releases bring. Text that is the name of a package finds that first.
// page gives the address of a plugin's page.
func Search(ctx context.Context, r *registry.Registry, index search.Index, text string, from, size int, page func(plugin string) string) (*Found, error) {
	w := &walk{r: r, page: page, skip: from, size: size, found: &Found{Objects: []Object{}, Time: stamp(time.Now())}, seen: map[string]bool{}}
	if IsName(text) {
		if err := w.named(ctx, text); err != nil {
			return nil, err
		}
	}
	q, err := query(text)
	if err != nil {
		return nil, err
	}
	for {
		hits, err := index.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for i, h := range hits.Hits {
			if w.full() {
				w.found.Total = w.counted + hits.Total - w.looked - i
				return w.found, nil
			}
			if err := w.plugin(ctx, h.Doc.Name, h.Score); err != nil {
				return nil, err
			}
		}
		w.looked += len(hits.Hits)
		if hits.Next == "" || len(hits.Hits) == 0 {
			w.found.Total = w.counted
			return w.found, nil
		}
		q.After = hits.Next
	}
}

// query reads npm's query: words, and qualifiers as keywords:a,b. Those that
// mean nothing here (scope:, not:, is:) are left out.
func query(text string) (search.Query, error) {
	var ours []string
	for _, word := range strings.Fields(text) {
		field, value, ok := strings.Cut(word, ":")
		switch {
		case !ok && strings.ContainsAny(word, `"@/`):
			if word = strings.Trim(strings.ReplaceAll(word, `"`, ""), "@/"); word != "" {
				ours = append(ours, `"`+word+`"`)
			}
		case !ok:
			ours = append(ours, strings.TrimLeft(word, "-"))
		case field == "keywords":
			for one := range strings.SplitSeq(value, ",") {
				ours = append(ours, "tag:"+one)
			}
		case field == "maintainer" || field == "author":
			ours = append(ours, "maintainer:"+value)
		}
	}
	q, err := search.Parse(strings.Join(ours, " "))
	q.Limit = search.MaxLimit
	return q, err
}

// walk collects the packages of plugins.
type walk struct {
	r       *registry.Registry
	page    func(string) string
	skip    int
	size    int
	looked  int // plugins of the pages before
	counted int // packages, those that were skipped too
	found   *Found
	seen    map[string]bool // names of packages
}

func (w *walk) full() bool { return len(w.found.Objects) >= w.size }

// named finds a package by its very name.
func (w *walk) named(ctx context.Context, name string) error {
	owner, _, err := w.r.PackageState(ctx, schema.NPM, name)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.plugin(ctx, owner, 1)
}

// plugin adds the packages that a plugin's default release brings or uses.
func (w *walk) plugin(ctx context.Context, name string, score float64) error {
	release, err := w.r.Resolve(ctx, name, "")
	if isNotFound(err) {
		return nil // yanked since it was indexed
	}
	if err != nil {
		return err
	}
	files := slices.Concat(release.Files, release.Uses)
	for i := range files {
		f := &files[i]
		if f.Package.Ecosystem != schema.NPM || w.seen[f.Package.Name] {
			continue
		}
		w.seen[f.Package.Name] = true
		if w.counted++; w.counted <= w.skip || w.full() {
			continue
		}
		o := Object{Package: w.summary(&release, f), SearchScore: score, Score: Score{Final: score}}
		o.Score.Detail.Quality, o.Score.Detail.Popularity, o.Score.Detail.Maintenance = score, score, score
		w.found.Objects = append(w.found.Objects, o)
	}
	return nil
}

func (w *walk) summary(r *registry.Release, f *registry.File) Summary {
	d := &r.Descriptor
	s := Summary{
		Name: f.Package.Name, Scope: "unscoped", Version: f.Package.Version, Description: d.Summary, Keywords: keywords(d.Categories, d.Tags),
		Date: stamp(r.Published), Maintainers: []user{},
		Links: links{NPM: w.page(r.Plugin), Homepage: d.Links.Homepage, Repository: d.Links.Source},
	}
	if s.Keywords == nil {
		s.Keywords = []string{}
	}
	if scope, _, ok := strings.Cut(s.Name, "/"); ok {
		s.Scope = strings.TrimPrefix(scope, "@")
	}
	for _, p := range people(d.Maintainer) {
		s.Maintainers = append(s.Maintainers, user{username(p), p.Email})
	}
	s.Publisher.Username = r.By
	return s
}
