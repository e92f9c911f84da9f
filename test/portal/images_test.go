package portal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"tributary/test/servertest"
)

var update = flag.Bool("update", false, "write docs/images anew")

// What a picture of the documentation is.
const (
	width, height = 1280, 800
	most          = 120_000 // bytes
)

// The pictures in docs/images are of a demo that was just filled. What they show differs from day to
// day, and pixels differ with fonts: wanted is that they can be made as they are, and that those kept are such pictures.
func TestImages(t *testing.T) {
	chromium, node := servertest.Chromium(t), servertest.Need(t, "node")
	s := servertest.Existing(t, filepath.Join(t.TempDir(), "demo"), "")
	s.Demo()
	person := func(words string) map[string]string {
		t.Helper()
		found := regexp.MustCompile(words + ` +(\S+) +password (\S+)`).FindStringSubmatch(s.Log.String())
		if found == nil {
			t.Fatalf("no %q in what the demo prints:\n%s", words, s.Log)
		}
		return map[string]string{"login": found[1], "password": found[2]}
	}
	dir := t.TempDir()
	asked, err := json.Marshal(map[string]any{"dir": dir, "tenant": person("Tenant acme"), "staff": person("System admin")})
	if err != nil {
		t.Fatal(err)
	}
	tell(t, chromium, node, "TRIBUTARY_STORIES=e2e/images.ts", "TRIBUTARY_IMAGES="+string(asked), "TRIBUTARY_URL="+s.URL, "TRIBUTARY_TOKEN=none", "TRIBUTARY_PASSWORD=none", "TRIBUTARY_ISSUER=none")
	s.Stop()
	kept := filepath.Join(servertest.Repository(), "docs", "images")
	for _, page := range []string{"home", "overview", "result"} {
		for _, theme := range []string{"light", "dark"} {
			name := page + "-" + theme + ".png"
			small := smaller(t, check(t, filepath.Join(dir, name), 10*most))
			if *update {
				if err := os.WriteFile(filepath.Join(kept, name), small, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			check(t, filepath.Join(kept, name), most)
		}
	}
}

// check wants a picture at a path, with the size that all have.
func check(t *testing.T, path string, most int) image.Image {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./test/portal -run Images -update makes it", err)
	}
	picture, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if got := picture.Bounds().Size(); got != image.Pt(width, height) || len(text) > most {
		t.Errorf("%s: %v in %d bytes, want %d×%d in at most %d", path, got, len(text), width, height, most)
	}
	return picture
}

// smaller is a picture with its 256 most frequent colours and nothing else.
func smaller(t *testing.T, picture image.Image) []byte {
	t.Helper()
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA) }
	for y := range height {
		for x := range width {
			count[at(x, y)]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return cmp.Compare(count[b], count[a]) })
	var palette color.Palette
	for _, c := range frequent[:min(256, len(frequent))] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	for _, c := range frequent {
		nearest[c] = uint8(palette.Index(c))
	}
	few := image.NewPaletted(image.Rect(0, 0, width, height), palette)
	for y := range height {
		for x := range width {
			few.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, few); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
