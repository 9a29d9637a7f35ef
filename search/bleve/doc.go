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
// Put returns when documents and mark are found; they are on disk a moment
// later, as a publish that waits for the index need not wait for fsync. The
// mark is in the batch of the last documents and batches are written in order,
// so on disk too it is never ahead of them: what a crash loses, at most 16
// batches, is what the journal has behind the mark. When the disk takes no
// more, Put waits and fails with ErrUnavailable. Close and Rebuild wait for the
// disk. A batch has at most 500 documents or 8 MiB; callers should put what
// waits at once.
//
// Nothing in the folder is worth a backup: all of it comes from the journal.
// One process has it open at a time; the second is told so.
//
// # How it scores
//
// bleve keeps the dictionaries, the lists of documents of each token, and the
// stored documents. A matcher runs a search.Plan over one segment of them: it
// walks through one list after the other and notes in a cell for each document
// how far it got and what it is worth. What every hit needs (name, signals,
// facet values) is in memory, about 200 bytes a document, read once for each
// segment; segments never change, so nothing must be kept in step. Totals,
// facets and order are of all hits; only the documents of the page are read.
//
// bleve's own query and collector layers are not used: they give scores that
// are not ours, and doing the same with them, searcher in searcher, took about
// ten times as long.
//
// Fuzzy look-ups are bounded by two edits, a fixed first character, and the
// twelve words up to which a query has them (see package search).
package bleve
