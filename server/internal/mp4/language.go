package mp4

import "strings"

// languagePairs lists the two-letter codes of ISO 639-1 each with its
// terminological three-letter code of ISO 639-2, the one mdhd wants.
const languagePairs = "aa aar ab abk ae ave af afr ak aka am amh an arg ar ara as asm av ava ay aym az aze " +
	"ba bak be bel bg bul bi bis bm bam bn ben bo bod br bre bs bos ca cat ce che ch cha co cos cr cre cs ces " +
	"cu chu cv chv cy cym da dan de deu dv div dz dzo ee ewe el ell en eng eo epo es spa et est eu eus fa fas " +
	"ff ful fi fin fj fij fo fao fr fra fy fry ga gle gd gla gl glg gn grn gu guj gv glv ha hau he heb hi hin " +
	"ho hmo hr hrv ht hat hu hun hy hye hz her ia ina id ind ie ile ig ibo ii iii ik ipk io ido is isl it ita " +
	"iu iku ja jpn jv jav ka kat kg kon ki kik kj kua kk kaz kl kal km khm kn kan ko kor kr kau ks kas ku kur " +
	"kv kom kw cor ky kir la lat lb ltz lg lug li lim ln lin lo lao lt lit lu lub lv lav mg mlg mh mah mi mri " +
	"mk mkd ml mal mn mon mr mar ms msa mt mlt my mya na nau nb nob nd nde ne nep ng ndo nl nld nn nno no nor " +
	"nr nbl nv nav ny nya oc oci oj oji om orm or ori os oss pa pan pi pli pl pol ps pus pt por qu que rm roh " +
	"rn run ro ron ru rus rw kin sa san sc srd sd snd se sme sg sag si sin sk slk sl slv sm smo sn sna so som " +
	"sq sqi sr srp ss ssw st sot su sun sv swe sw swa ta tam te tel tg tgk th tha ti tir tk tuk tl tgl tn tsn " +
	"to ton tr tur ts tso tt tat tw twi ty tah ug uig uk ukr ur urd uz uzb ve ven vi vie vo vol wa wln wo wol " +
	"xh xho yi yid yo yor za zha zh zho zu zul"

var longLanguage, shortLanguage = func() (long, short map[string]string) {
	long, short = map[string]string{}, map[string]string{}
	codes := strings.Fields(languagePairs)
	for i := 0; i+1 < len(codes); i += 2 {
		long[codes[i]], short[codes[i+1]] = codes[i+1], codes[i]
	}
	return long, short
}()

const undetermined = "und"

// packLanguage returns the code of mdhd for a BCP 47 tag, and the tag itself
// where elng must carry what the code cannot.
func packLanguage(tag string) (code uint16, extended string) {
	primary, _, more := strings.Cut(strings.ToLower(tag), "-")
	name := primary
	if long, ok := longLanguage[primary]; ok {
		name = long
	}
	if !isThreeLetters(name) {
		name = undetermined
	}
	if more || tag != "" && name == undetermined && primary != undetermined {
		extended = strings.ReplaceAll(tag, "\x00", "")
	}
	for i := range 3 {
		code = code<<5 | uint16(name[i]-'a'+1)
	}
	return code, extended
}

// unpackLanguage returns the BCP 47 tag of an mdhd code, or nothing where the
// code says undetermined or is one of QuickTime's own numbers.
func unpackLanguage(code uint16) string {
	name := []byte{byte(code>>10&31) + 'a' - 1, byte(code>>5&31) + 'a' - 1, byte(code&31) + 'a' - 1}
	tag := string(name)
	if !isThreeLetters(tag) || tag == undetermined {
		return ""
	}
	if short, ok := shortLanguage[tag]; ok {
		return short
	}
	return tag
}

func isThreeLetters(s string) bool {
	if len(s) != 3 {
		return false
	}
	for _, c := range []byte(s) {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}
