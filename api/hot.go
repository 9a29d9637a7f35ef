package api

import (
	"time"

	"github.com/labstack/echo/v4"

	"appstore/api/shelf"
	"appstore/registry"
)

// Bounds of what is kept in memory of the answers that are asked for most.
const (
	keepAnswers  = 32 << 20 // bytes of finished answers, with their compressed forms
	keepReleases = 32 << 20 // bytes of releases, as the catalogue gives them
)

// hot are finished answers, and releases for the routes of their files, as the
// catalogue had them at its mark: a change is seen as soon as the catalogue has
// it. Searches are not kept: the index has a position of its own.
type hot struct {
	answers  *shelf.Shelf[moment, *answer]                  // by the address
	releases *shelf.Shelf[registry.Mark, *registry.Release] // by name and ref
}

func newHot() hot {
	return hot{
		answers: shelf.New[moment](keepAnswers, func(a *answer) int { return 256 + 2*len(a.body) }),
		releases: shelf.New[registry.Mark](keepReleases, func(r *registry.Release) int {
			n := 4096 + len(r.Descriptor.Description)
			for _, f := range r.Files {
				n += 2048 + len(f.Manifest)
			}
			return n + 2048*len(r.Uses)
		}),
	}
}

// moment is what an answer was made of. Download counts are not in the catalogue,
// so each answer is made anew after a second.
type moment struct {
	registry.Mark
	second int64
}

// hotMoment is where the context has the moment that the answer is made at, read
// before the handler reads anything else.
const hotMoment = "moment"

func hotKey(c echo.Context) string { return c.Request().URL.RequestURI() }

// hotly answers a read from what is kept, else lets the handler make it and
// keeps that.
func (s *server) hotly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.Registry.Movable() != nil {
			return next(c) // which knows what it can still say
		}
		now := moment{s.Registry.Mark(), time.Now().Unix()}
		if a, at, ok := s.hot.answers.Peek(hotKey(c)); ok && at == now {
			return a.write(c)
		}
		c.Set(hotMoment, now)
		return next(c)
	}
}
