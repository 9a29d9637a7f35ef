package searchtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"appstore/search"
)

// The words that Generate draws from, the frequent ones first.
var (
	subjects = strings.Fields(`galaxy jupyter kubernetes docker slurm rstudio genome variant protein imaging climate ocean
		spark hadoop tensor notebook metabolome single-cell RNA-seq ChIP-seq assembly alignment phylogeny microscopy
		proteomics astronomy seismic chemistry materials corpus translation speech vision robotics archive metadata`)
	kinds = strings.Fields(`server cluster workbench pipeline desktop hub lab runner portal gateway suite box viewer
		database toolkit endpoint monitor scheduler store mirror`)
	verbs     = strings.Fields(`launch run analyse store share visualise train compare assemble annotate index schedule monitor simulate`)
	fillers   = strings.Fields(`the a of and with for on in your our large small fast secure shared open cloud data machine users results jobs volume network`)
	tagWords  = strings.Fields(`gpu hpc ngs workflow python r database storage training vm cluster web ml gis imaging`)
	groups    = strings.Fields(`bioinformatics containers hpc notebooks data workflows desktop development geosciences imaging`)
	trusts    = strings.Fields(`untrusted untrusted untrusted reviewed trusted official`)
	alphabets = strings.Fields(`ba co di fe gu ha jo ki lu ma no pe qui ro su ta vo wi xe zu`)
)

// Generate makes n documents that are distributed somewhat as words in a real
// catalogue are: few frequent words, many rare ones. The same seed gives the
// same documents.
func Generate(n int, seed uint64) []search.Doc {
	r := rand.New(rand.NewPCG(seed, 0))
	docs := make([]search.Doc, n)
	for i := range docs {
		subject, kind := pick(r, subjects), pick(r, kinds)
		rare := pick(r, alphabets) + pick(r, alphabets) + pick(r, alphabets)
		name := fmt.Sprintf("%s-%s-%05d", rare, strings.ToLower(subject), i)
		docs[i] = search.Doc{
			Position:    uint64(i + 1),
			Name:        name,
			Spelling:    name,
			Title:       strings.ToUpper(subject[:1]) + subject[1:] + " " + kind + " " + rare,
			Summary:     sentence(r, 12),
			Description: sentence(r, 80) + "\n\n" + sentence(r, 60),
			Maintainer:  fmt.Sprintf("Group %d <group%d@example.org>", i%97, i%97),
			Version:     fmt.Sprintf("%d.%d.0", r.IntN(9), r.IntN(20)),
			Categories:  []string{pick(r, groups)},
			Tags:        []string{pick(r, tagWords), pick(r, tagWords), strings.ToLower(subject)},
			Interfaces:  []string{"launch", "admin", "backup"}[:1+r.IntN(3)],
			Trust:       pick(r, trusts),
			Status:      []string{"LIVE", "LIVE", "LIVE", "DEV"}[r.IntN(4)],
			Downloads:   uint64(1) << r.IntN(18),
			Updated:     Now.Add(-time.Duration(r.IntN(1500*24)) * time.Hour),
			Hidden:      r.IntN(50) == 0,
		}
	}
	return docs
}

// pick prefers the beginning of a list.
func pick(r *rand.Rand, list []string) string {
	return list[min(r.IntN(len(list)), r.IntN(len(list)))]
}

func sentence(r *rand.Rand, n int) string {
	words := make([]string, n)
	for i := range words {
		switch r.IntN(8) {
		case 0:
			words[i] = pick(r, subjects)
		case 1:
			words[i] = pick(r, kinds)
		case 2:
			words[i] = pick(r, verbs)
		case 3:
			words[i] = pick(r, alphabets) + pick(r, alphabets) + pick(r, alphabets)
		default:
			words[i] = pick(r, fillers)
		}
	}
	return strings.Join(words, " ") + "."
}
