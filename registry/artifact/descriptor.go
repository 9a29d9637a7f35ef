package artifact

import (
	"io"
	"path"
	"strings"
)

// DescriptorName is the name of the file by which a plugin's descriptor
// travels inside a package, for clients that upload packages only (twine, npm).
// In a wheel and an sdist it lies in the module's folder, where every build
// tool keeps data files: at most three folders deep (in an sdist, below its
// top folder). In an npm tarball it lies beside package.json.
const DescriptorName = "appstore-plugin.yaml"

const descriptorDepth = 3

// carries tells whether name, below an archive's top, is a descriptor's.
func carries(name string, depth int) bool {
	return path.Base(name) == DescriptorName && strings.Count(name, "/") <= depth
}

// descriptor reads the one that a wheel carries, or nil.
func (z *zipArchive) descriptor() ([]byte, error) {
	found := ""
	for i := range z.entries {
		name, err := z.name(&z.entries[i])
		if err != nil {
			return nil, err
		}
		if !carries(name, descriptorDepth) {
			continue
		}
		if found != "" {
			return nil, twoDescriptors(found, name)
		}
		found = name
	}
	if found == "" {
		return nil, nil
	}
	return z.required(found, "descriptor")
}

// carried collects the descriptor of a tar archive.
type carried struct {
	name string
	data []byte
}

func (c *carried) see(e tarEntry, content io.Reader, depth int) (err error) {
	_, rest, _ := strings.Cut(e.name, "/")
	if !carries(rest, depth) {
		return nil
	}
	if c.name != "" {
		return twoDescriptors(c.name, e.name)
	}
	c.name = e.name
	c.data, err = bounded(content, e)
	return err
}

func twoDescriptors(a, b string) error {
	return refuse("descriptor-two", "put one in the package", "it has two descriptors: %s and %s", a, b)
}
