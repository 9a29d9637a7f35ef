// Package searchtest is the conformance suite of search.Index: what passes Run
// is a search engine for the AppStore.
//
// The suite tests the sentences of the contract one by one. Whether the right
// things are found, and in the right order, it tests in two ways:
//
//   - queries.txt holds queries and what people expect of them, over a made
//     catalogue (catalogue.json) and over CloudLaunch's real one.
//   - Every answer, to those queries, to hostile ones and to 200 random ones,
//     is held against a reference that asks search.Plan.Evaluate about each
//     document: the same hits, order, scores, total and facets. Two engines
//     that pass answer alike to the last digit.
//
// The real catalogue is not part of this project. APPSTORE_TEST_CLOUDLAUNCH_REGISTRY
// is the path of its app-registry.yaml; without it those queries are skipped,
// or fail when APPSTORE_TEST_REQUIRE is 1.
package searchtest
