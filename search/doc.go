// Package search says what the AppStore needs of a search engine, and holds
// everything that both engines share: the query language, the analysis of
// text, the weights, synonyms and signals, highlights and explanations.
//
// There are two engines: package bleve (embedded, the default) and package
// elastic (Elasticsearch 8). Both pass searchtest.Run.
//
// # The query language
//
// Parse reads it; everything is optional, and all of it must be true of a hit.
//
//	galaxy docker         both words, anywhere, in any order
//	"rna seq"             a phrase: these words in this order
//	tag:gpu               a facet field has this value
//	category:"big data"   quotes for a value of several words
//	-docker -"a b" -tag:x what must not be there
//
// Fields are category, tag, interface, maintainer, trust and status. Their
// names and values are compared without regard to case; a value is always the
// whole value. The same field twice means either value; -tag:a -tag:b means
// neither. Text and the filters of a URL together are AND.
//
// A word with a colon that is no field is an error that names the nearest
// field, as a misspelled filter would else be searched for in vain. It is text
// where it can't be meant as a filter: before // (http://example.org), after
// anything but letters (10:30), at the end of a word (Note:), before another
// colon (a::b). There are no operators, wildcards or escapes: other signs
// separate words, and a word without letters or digits is ignored. A text has
// at most MaxText characters and MaxTerms terms. Errors are *SyntaxError.
//
// # What a word finds
//
// Text is split into words at all that is neither letter nor digit, words into
// parts (see Parts), and parts are stemmed (Porter). Accents and case don't
// matter. Each rune of a script without spaces is a word, and a run of them a
// phrase. A word of a query finds, each for less than the one before:
//
//   - itself, by its stem; a word of several parts finds them written apart,
//     with a sign between, or together (rna-seq, RNASeq, rnaseq), and two
//     neighbours find the word written as one (jupyter hub: jupyterhub);
//   - what synonyms.txt says is the same, in either direction, whatever the
//     case and signs (scRNA, scrna), also of some of its parts, the others
//     being kept (k8s-cluster: kubernetes cluster);
//   - names and titles with a word that begins so, from 3 characters on also
//     tags and categories;
//   - words with one typo, from 5 characters on, or two, from 8 on (of which
//     the stem has lost one at most), but for the first character. Not in
//     descriptions and maintainers, where typos find mostly noise; not for
//     words over 20 characters, and for the first 6 others only, as a look-up
//     that finds nothing costs the more the longer it is.
//
// A phrase finds only itself, and a minus takes away only what is written.
// Words such as "the" are not looked for beside others (stopWords). From 13
// words on a query finds no synonyms and typos: it was pasted, and knows what
// it looks for.
//
// # Scores
//
// What a match is worth depends on nothing but the field and the way of
// matching: weight times percent, whole numbers both (weights.go). The text
// score is the sum over terms and fields; a query that is, as a whole, a name
// or its beginning gets a bonus that nothing else reaches. Signals multiply
// it: trust, adoption, freshness, at most 1.93 together. The result is
// rounded to 4 significant digits, and ties are broken by name.
//
// Frequencies (BM25) are left out on purpose. They differ between engines, with
// shards, with deleted documents and with what else is in the index, so two
// engines could not agree, pages would shift, and no explanation would add up.
// What they are good for, weighing rare words against frequent ones in long
// texts, matters little where all words must be found and most of the evidence
// is in names, tags and a line of summary; adoption orders the rest better.
// Sums of whole numbers are exact in the 32-bit scores of Lucene, and the
// formula (Score) has only operations that IEEE 754 defines to the last bit,
// so the same query gives the same page on both engines, and the sum of
// Reasons is the score.
//
// # How a search goes
//
// Compile makes a Plan of a Query: which token to look up in which field, for
// how much. An engine looks up, adds and multiplies, sorts and counts; it
// neither splits nor stems nor chooses. Prepare makes the Entry of a Doc: its
// tokens with spaces between them. Parts and compounds are in the same field
// behind a separator that no phrase can cross, so that one look-up per field
// finds both. Plan.Result makes highlights and explanations from the stored
// Doc, also without the engine. Facets are counted under all filters, their
// values in lower case, the largest counts first, at most FacetValues each.
//
// A cursor carries the key and name of the last hit, a hash of the query, and
// the time of the first page: freshness does not change while paging.
//
// # Left out
//
// Languages other than English are found by whole words only. There is no
// search as of a past time, no "did you mean", and no learning from clicks.
package search
