// Package bleve is the embedded search engine: an index in a local folder, by
// github.com/blevesearch/bleve/v2. It is the default, for one server with up
// to some 100,000 plugins.
//
// # The folder
//
//	current                   the name of the generation in use
//	<hash>-<when it was made> a generation: one bleve index
//
// The hash is of the mapping and of how documents are prepared, so a program
// never reads what another version wrote: it starts empty, at position 0, and
// is filled again. The same happens when the folder is damaged. Rebuild makes
// another generation and then replaces the file current, by rename and after
// fsync; a crash at any instant leaves the old index or the new one, and a
// folder that the next Open removes.
//
// Put returns when documents and mark are on disk. The mark is written in the
// batch of the last documents, so it is never ahead of them. A batch has at
// most 500 documents or 8 MiB: one document per call costs as much time for
// fsync as hundreds in one batch, so callers should put what waits at once.
//
// Nothing in the folder is worth a backup: all of it comes from the journal.
// One process has it open at a time; the second is told so.
//
// # How it scores
//
// bleve only finds documents and walks through them; its own scoring is off,
// which is also faster. planQuery runs a search.Plan: the terms of a clause
// are walked side by side, and each document gets the sum of the best match of
// each field, times the signals that are read from its doc values. So totals,
// facets, order and pages come from bleve's collector over all hits, with no
// candidates fetched beyond the page.
//
// Fuzzy look-ups are bounded by two edits, a fixed first character, and the
// twelve words up to which a query has them (see package search).
package bleve
