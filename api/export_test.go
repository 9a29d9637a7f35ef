package api

import (
	"net/http"
	"time"

	"appstore/registry"
	"appstore/search"
)

// nobody is an index that only has to be there.
type nobody struct{ search.Index }

// RoutesOf gives the method and path of every route.
func RoutesOf(r *registry.Registry) (all [][2]string) {
	s, err := newServer(Options{Registry: r, Index: nobody{}})
	if err != nil {
		panic(err)
	}
	for _, route := range s.echo.Routes() {
		if route.Method != "echo_route_not_found" {
			all = append(all, [2]string{route.Method, route.Path})
		}
	}
	return all
}

// Checking gives a server all of whose places for texts to validate are taken,
// and frees one.
func Checking(r *registry.Registry) (h http.Handler, free func()) {
	s, err := newServer(Options{Registry: r, Index: nobody{}})
	if err != nil {
		panic(err)
	}
	for range cap(s.checking) {
		s.checking <- struct{}{}
	}
	return s, func() { <-s.checking }
}

var ParseRange = parseRange

// SetBodyPause shortens the pause that a body may make, and gives back how it was.
func SetBodyPause(d time.Duration) (restore func()) {
	was := bodyPause
	bodyPause = d
	return func() { bodyPause = was }
}
