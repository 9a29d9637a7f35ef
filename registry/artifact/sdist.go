package artifact

import (
	"io"
	"strings"
)

// inspectSdist reads name-version.tar.gz (PEP 625), which has PKG-INFO (PEP 643)
// in its top folder name-version.
func inspectSdist(rep *report, file string, src *source) (Info, error) {
	base := strings.TrimSuffix(file, ".tar.gz")
	dash := strings.LastIndexByte(base, '-')
	if dash <= 0 || dash == len(base)-1 {
		return Info{}, refuse("name-sdist", "name it name-version.tar.gz, as build tools do", "the sdist's name %q has no version", file)
	}
	rep.pass(CheckFileName)
	var data []byte
	var plugin carried
	w, err := walkTar(src, func(e tarEntry, content io.Reader) (err error) {
		if _, rest, _ := strings.Cut(e.name, "/"); rest == "PKG-INFO" {
			data, err = bounded(content, e)
			return err
		}
		return plugin.see(e, content, descriptorDepth)
	})
	if err != nil {
		return Info{}, err
	}
	rep.pass(CheckArchive, CheckEntries, CheckLimits, CheckContents)
	if data == nil {
		return Info{}, refuse("metadata-pkg-info", again, "it has no PKG-INFO in its top folder")
	}
	info, err := python(data, w.root+"PKG-INFO")
	if err != nil {
		return Info{}, err
	}
	rep.pass(CheckMetadata)
	if err := agrees("the file name", base[:dash], base[dash+1:], info.Package); err != nil {
		return Info{}, err
	}
	top := strings.TrimSuffix(w.root, "/")
	dash = strings.LastIndexByte(top, '-')
	if dash <= 0 {
		return Info{}, refuse("agree-top", again, "its top folder %q is not NAME-VERSION", top)
	}
	if err := agrees("its top folder", top[:dash], top[dash+1:], info.Package); err != nil {
		return Info{}, err
	}
	rep.pass(CheckAgrees)
	info.Descriptor = plugin.data
	info.Entries, info.Unpacked = w.entries, w.unpacked
	return info, nil
}

// bounded reads an entry of at most MaxMetadata bytes.
func bounded(content io.Reader, e tarEntry) ([]byte, error) {
	if e.size > MaxMetadata {
		return nil, refuse("metadata-large", "shorten it", "%s is larger than %d bytes", e.name, MaxMetadata)
	}
	data := make([]byte, e.size)
	if _, err := io.ReadFull(content, data); err != nil {
		return nil, refuse("tar-cut", "upload it again", "its tar archive is cut off within an entry")
	}
	return data, nil
}
