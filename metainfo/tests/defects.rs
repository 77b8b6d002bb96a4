//! Defective torrents: what each is refused for, or which warnings it is accepted with.
//!
//! Each case changes the info dictionary or the file around it. The base is a v1 torrent of one file of 5 bytes, named
//! `a`, in one piece of 16 KiB.

use std::collections::BTreeMap;
use tailwater_metainfo::Metainfo;

/// The text of the error, or the texts of the warnings.
type Outcome = Result<&'static [&'static str], &'static str>;

/// Encoded values by key; an empty one takes the key away.
type Changes = &'static [(&'static str, &'static str)];

const CASES: &[(Changes, Changes, Outcome)] = &[
    (&[], &[("info", "")], Err("info is missing")),
    (
        &[],
        &[("info", "i1e")],
        Err("info at byte 7: not a dictionary"),
    ),
    (
        &[],
        &[("info", "le")],
        Err("info at byte 7: not a dictionary"),
    ),
    (&[], &[("info", "de")], Err("info.name is missing")),
    (&[("name", "")], &[], Err("info.name is missing")),
    (
        &[("name", "i1e")],
        &[],
        Err("info.name at byte 25: not a string"),
    ),
    (&[("name", "0:")], &[], Err("info.name at byte 25: empty")),
    (
        &[("name", "2:..")],
        &[],
        Err("info.name at byte 25: no usable name is left of \"..\""),
    ),
    (
        &[("name", "1:/")],
        &[],
        Err("info.name at byte 25: no usable name is left of \"/\""),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl1:aeee"),
            ("name", "2:.."),
        ],
        &[],
        Ok(&["the name \"..\" is changed to \"ea0a4b59aea9cbb41d0032b5acb957435e34efcf\""]),
    ),
    (
        &[("name", "4:../a")],
        &[],
        Ok(&["the name \"../a\" is changed to \"..a\""]),
    ),
    (
        &[("name", "3:con")],
        &[],
        Ok(&["the name \"con\" is changed to \"_con\""]),
    ),
    (
        &[("name", "3:a/b")],
        &[],
        Ok(&["the name \"a/b\" is changed to \"ab\""]),
    ),
    (&[("name.utf-8", "2:\u{e9}")], &[], Ok(&[])),
    (
        &[("name.utf-8", "i1e")],
        &[],
        Ok(&["info.name.utf-8 at byte 41 is ignored: not a UTF-8 string"]),
    ),
    (
        &[(
            "name",
            "304:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.mkv",
        )],
        &[],
        Ok(&[
            "the name \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.mkv\" is changed to \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.mkv\"",
        ]),
    ),
    (
        &[("piece length", "")],
        &[],
        Err("info.piece length is missing"),
    ),
    (
        &[("piece length", "i0e")],
        &[],
        Err("info.piece length at byte 43: piece length 0 is not between 1 and 536854528 bytes"),
    ),
    (
        &[("piece length", "i-1e")],
        &[],
        Err("info.piece length at byte 43: -1 is negative"),
    ),
    (
        &[("piece length", "i536854529e")],
        &[],
        Err(
            "info.piece length at byte 43: piece length 536854529 is not between 1 and 536854528 bytes",
        ),
    ),
    (
        &[("piece length", "i9223372036854775807e")],
        &[],
        Err(
            "info.piece length at byte 43: piece length 9223372036854775807 is not between 1 and 536854528 bytes",
        ),
    ),
    (
        &[("piece length", "5:16384")],
        &[],
        Err("info.piece length at byte 43: not a number"),
    ),
    (&[("length", "")], &[], Err("info.length is missing")),
    (
        &[("length", "i-1e")],
        &[],
        Err("info.length at byte 16: -1 is negative"),
    ),
    (
        &[("length", "i0e")],
        &[],
        Err("info.length at byte 16: the torrent is empty"),
    ),
    (
        &[("length", "1:5")],
        &[],
        Err("info.length at byte 16: not a number"),
    ),
    (
        &[("length", "i9223372036854775807e")],
        &[],
        Err("info.length at byte 16: 562949953421312 pieces are more than 2097152"),
    ),
    (&[("pieces", "")], &[], Err("info.pieces is missing")),
    (
        &[("pieces", "i1e")],
        &[],
        Err("info.pieces at byte 58: not a string"),
    ),
    (
        &[("pieces", "0:")],
        &[],
        Err("info.pieces at byte 58: 0 piece hashes where 1 pieces are"),
    ),
    (
        &[("pieces", "19:aaaaaaaaaaaaaaaaaaa")],
        &[],
        Err("info.pieces at byte 58: 19 bytes are no whole number of 20-byte hashes"),
    ),
    (
        &[("pieces", "40:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")],
        &[],
        Err("info.pieces at byte 58: 2 piece hashes where 1 pieces are"),
    ),
    (
        &[("length", "i16385e")],
        &[],
        Err("info.pieces at byte 62: 1 piece hashes where 2 pieces are"),
    ),
    (
        &[("files", "ld6:lengthi5e4:pathl1:aeee")],
        &[],
        Err("info.files at byte 15: both length and files"),
    ),
    (
        &[("length", ""), ("files", "le")],
        &[],
        Err("info.files at byte 15: empty"),
    ),
    (
        &[("length", ""), ("files", "i1e")],
        &[],
        Err("info.files at byte 15: not a list"),
    ),
    (
        &[("length", ""), ("files", "de")],
        &[],
        Err("info.files at byte 15: not a list"),
    ),
    (
        &[("length", ""), ("files", "li1ee")],
        &[],
        Err("info.files[0] at byte 16: not a dictionary"),
    ),
    (
        &[("length", ""), ("files", "ld6:lengthi-5e4:pathl1:aeee")],
        &[],
        Err("info.files[0].length at byte 25: -5 is negative"),
    ),
    (
        &[("length", ""), ("files", "ld4:pathl1:aeee")],
        &[],
        Err("info.files[0].length is missing"),
    ),
    (
        &[("length", ""), ("files", "ld6:lengthi5eee")],
        &[],
        Err("info.files[0].path is missing"),
    ),
    (
        &[("length", ""), ("files", "ld6:lengthi5e4:path1:aee")],
        &[],
        Err("info.files[0].path at byte 34: not a list of strings"),
    ),
    (
        &[("length", ""), ("files", "ld6:lengthi5e4:pathleee")],
        &[],
        Err("info.files[0].path at byte 34: empty"),
    ),
    (
        &[("length", ""), ("files", "ld6:lengthi5e4:pathli1eeee")],
        &[],
        Err("info.files[0].path[0] at byte 35: not a string"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed6:length1:54:pathl1:beee",
            ),
        ],
        &[],
        Err("info.files[1].length at byte 49: not a number"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi9223372036854775807e4:pathl1:aeed6:lengthi9223372036854775807e4:pathl1:beed6:lengthi2e4:pathl1:ceee",
            ),
        ],
        &[],
        Err("info.files[2] at byte 100: the sum of the files' lengths overflows"),
    ),
    (
        &[("length", ""), ("files", "ld6:lengthi0e4:pathl1:aeee")],
        &[],
        Err("info.files at byte 15: the torrent is empty"),
    ),
    (
        &[("length", ""), ("files", "ld6:lengthi5e4:pathl2:..eee")],
        &[],
        Ok(&["the path \"..\" of file 0 is changed to \"_\""]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl2:..2:..3:etc6:passwdeee"),
        ],
        &[],
        Ok(&["the path \"../../etc/passwd\" of file 0 is changed to \"_/_/etc/passwd\""]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl0:3:etc6:passwdeee"),
        ],
        &[],
        Ok(&["the path \"/etc/passwd\" of file 0 is changed to \"_/etc/passwd\""]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl11:/etc/passwdeee"),
        ],
        &[],
        Ok(&["the path \"/etc/passwd\" of file 0 is changed to \"etcpasswd\""]),
    ),
    (
        &[("length", ""), ("files", "ld6:lengthi5e4:pathl1:.1:aeee")],
        &[],
        Ok(&["the path \"./a\" of file 0 is changed to \"_/a\""]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl6:a\\..\\beee"),
        ],
        &[],
        Ok(&["the path \"a\\\\..\\\\b\" of file 0 is changed to \"a..b\""]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl3:a\u{0}beee"),
        ],
        &[],
        Ok(&["the path \"a\\0b\" of file 0 is changed to \"ab\""]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl8:a\u{a}b\u{1b}[31meee"),
        ],
        &[],
        Ok(&["the path \"a\\nb\\u{1b}[31m\" of file 0 is changed to \"a_b_[31m\""]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl13:gpj\u{202e}exe.txteee"),
        ],
        &[],
        Ok(&["the path \"gpj\\u{202e}exe.txt\" of file 0 is changed to \"gpjexe.txt\""]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl3:dir7:NUL.txteee"),
        ],
        &[],
        Ok(&["the path \"dir/NUL.txt\" of file 0 is changed to \"dir/_NUL.txt\""]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl255:yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy.flaceee",
            ),
        ],
        &[],
        Ok(&[
            "the path \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy.flac\" of file 0 is changed to \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy.flac\"",
        ]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi2e4:pathl5:a.txteed6:lengthi3e4:pathl5:a.txteee",
            ),
        ],
        &[],
        Ok(&["the path \"a.txt\" of file 1 is taken: changed to \"a.1.txt\""]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi2e4:pathl5:a.txteed6:lengthi3e4:pathl5:A.TXTeee",
            ),
        ],
        &[],
        Ok(&["the path \"A.TXT\" of file 1 is taken: changed to \"A.1.TXT\""]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi2e4:pathl1:aeed6:lengthi3e4:pathl1:a1:beee",
            ),
        ],
        &[],
        Ok(&["the path \"a\" of file 0 is taken: changed to \"a.1\""]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi2e4:pathl1:a1:beed6:lengthi3e4:pathl1:aeee",
            ),
        ],
        &[],
        Ok(&["the path \"a\" of file 1 is taken: changed to \"a.1\""]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi1e4:pathl1:aeed6:lengthi1e4:pathl3:a.1eed6:lengthi3e4:pathl1:aeee",
            ),
        ],
        &[],
        Ok(&["the path \"a\" of file 2 is taken: changed to \"a.2\""]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi2e4:pathl1:beed6:lengthi3e4:pathl2:..1:beee",
            ),
        ],
        &[],
        Ok(&["the path \"../b\" of file 1 is changed to \"_/b\""]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi2e4:pathl2:\u{3c2}eed6:lengthi2e4:pathl2:\u{3a3}eed6:lengthi1e4:pathl2:\u{3c3}eee",
            ),
        ],
        &[],
        Ok(&[
            "the path \"\u{3a3}\" of file 1 is taken: changed to \"\u{3a3}.1\"",
            "the path \"\u{3c3}\" of file 2 is taken: changed to \"\u{3c3}.2\"",
        ]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi1e4:pathl1:aeed6:lengthi1e4:pathl1:aeed6:lengthi1e4:pathl1:aeed6:lengthi2e4:pathl1:aeee",
            ),
        ],
        &[],
        Ok(&[
            "the path \"a\" of file 1 is taken: changed to \"a.1\"",
            "the path \"a\" of file 2 is taken: changed to \"a.2\"",
            "the path \"a\" of file 3 is taken: changed to \"a.3\"",
        ]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:aeee",
            ),
        ],
        &[],
        Err("info.files[0].path at byte 34: a path of more than 100 components"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:aeee",
            ),
        ],
        &[],
        Ok(&[]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl1:?e10:path.utf-8l2:\u{e9}eee"),
        ],
        &[],
        Ok(&[]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl1:be10:path.utf-81:aee"),
        ],
        &[],
        Ok(&["info.files[0].path.utf-8 at byte 52 is ignored: not a list of UTF-8 strings"]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld4:attri1e6:lengthi5e4:pathl1:aeee"),
        ],
        &[],
        Ok(&["info.files[0].attr at byte 23 is ignored: not a string"]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld4:attr3:xhz6:lengthi5e4:pathl1:aeee"),
        ],
        &[],
        Ok(&[]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:p6:lengthi5eee"),
        ],
        &[],
        Ok(&[]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:p6:lengthi5e4:pathl2:..eee",
            ),
        ],
        &[],
        Ok(&["the path \"..\" of file 1 is changed to \"_\""]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl1:aeee",
            ),
        ],
        &[],
        Ok(&[]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl2:..1:aeee",
            ),
        ],
        &[],
        Err("info.files[1].symlink path at byte 76: the target \"../a\" is outside the torrent"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl0:3:etceee",
            ),
        ],
        &[],
        Err("info.files[1].symlink path at byte 76: the target \"/etc\" is outside the torrent"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl4:/etceee",
            ),
        ],
        &[],
        Err("info.files[1].symlink path at byte 76: the target \"/etc\" is outside the torrent"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathleee",
            ),
        ],
        &[],
        Err("info.files[1].symlink path at byte 76: the target \"\" is outside the torrent"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink path1:aee",
            ),
        ],
        &[],
        Err("info.files[1].symlink path at byte 76: not a list of strings"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:l6:lengthi5e4:pathl1:ke12:symlink pathl1:aeee",
            ),
        ],
        &[],
        Ok(&["info.files[1].length at byte 58 is ignored: a symlink has no length"]),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl1:beee",
            ),
        ],
        &[],
        Ok(&["file 1 is a symlink to \"b\", which the torrent does not have"]),
    ),
    (
        &[
            ("length", ""),
            ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:keee"),
        ],
        &[],
        Err("info.files[1].symlink path is missing"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl4:..\\aeee",
            ),
        ],
        &[],
        Err("info.files[1].symlink path at byte 76: the target \"..\\\\a\" is outside the torrent"),
    ),
    (
        &[
            ("length", ""),
            (
                "files",
                "ld4:attr1:l4:pathl1:ke12:symlink pathl1:aeed6:lengthi5e4:pathl1:k1:xeee",
            ),
        ],
        &[],
        Ok(&[
            "the path \"k\" of file 0 is taken: changed to \"k.1\"",
            "file 0 is a symlink to \"a\", which the torrent does not have",
        ]),
    ),
    (&[("private", "i1e")], &[], Ok(&[])),
    (&[("private", "i2e")], &[], Ok(&[])),
    (&[("private", "1:1")], &[], Ok(&[])),
    (
        &[("meta version", "1:2")],
        &[],
        Ok(&["info.meta version at byte 34 is ignored: not a number"]),
    ),
    (
        &[("meta version", "i3e")],
        &[],
        Err("info.meta version at byte 34: version 3 of the metainfo format is not known"),
    ),
    (
        &[("meta version", "i1e")],
        &[],
        Err("info.meta version at byte 34: version 1 of the metainfo format is not known"),
    ),
    (
        &[],
        &[("announce", "i1e")],
        Ok(&["announce at byte 11 is ignored: not a URL"]),
    ),
    (
        &[],
        &[("announce", "0:")],
        Ok(&["announce at byte 11 is ignored: not a URL"]),
    ),
    (
        &[],
        &[("announce", "7:tracker")],
        Ok(&["announce at byte 11 is ignored: not a URL"]),
    ),
    (
        &[],
        &[("announce-list", "0:")],
        Ok(&["announce-list at byte 17 is ignored: not a list of lists of URLs"]),
    ),
    (
        &[],
        &[("announce-list", "le"), ("announce", "9:http://a/")],
        Ok(&[]),
    ),
    (&[], &[("announce-list", "llee")], Ok(&[])),
    (
        &[],
        &[("announce-list", "l9:http://a/e")],
        Ok(&["announce-list[0] at byte 18 should be a list of URLs"]),
    ),
    (
        &[],
        &[("announce-list", "lli1e9:http://a/ei2ee")],
        Ok(&[
            "announce-list[0][0] at byte 19 is ignored: not a URL",
            "announce-list[1] at byte 34 is ignored: not a list of URLs",
        ]),
    ),
    (
        &[],
        &[("announce-list", "de")],
        Ok(&["announce-list at byte 17 is ignored: not a list of lists of URLs"]),
    ),
    (
        &[],
        &[("creation date", "10:1700000000")],
        Ok(&["creation date at byte 17 should be a number"]),
    ),
    (
        &[],
        &[("creation date", "9:yesterday")],
        Ok(&["creation date at byte 17 is ignored: not a number"]),
    ),
    (
        &[],
        &[("creation date", "le")],
        Ok(&["creation date at byte 17 is ignored: not a number"]),
    ),
    (
        &[],
        &[("comment", "i1e")],
        Ok(&["comment at byte 10 is ignored: not a string"]),
    ),
    (
        &[],
        &[("created by", "le")],
        Ok(&["created by at byte 14 is ignored: not a string"]),
    ),
    (&[], &[("url-list", "0:")], Ok(&[])),
    (
        &[],
        &[("url-list", "i1e")],
        Ok(&["url-list at byte 92 is ignored: not a URL or a list of URLs"]),
    ),
    (
        &[],
        &[("url-list", "li1e9:http://s/e")],
        Ok(&["url-list[0] at byte 93 is ignored: not a URL"]),
    ),
    (
        &[],
        &[("httpseeds", "i1e")],
        Ok(&["httpseeds at byte 12 is ignored: not a URL or a list of URLs"]),
    ),
    (
        &[],
        &[("nodes", "i1e")],
        Ok(&["nodes at byte 89 is ignored: not a list of hosts and ports"]),
    ),
    (
        &[],
        &[("nodes", "ll1:hi0eel1:hi70000eel1:hei1el1:hi1eee")],
        Ok(&[
            "nodes[0] at byte 90 is ignored: not a host and a port",
            "nodes[1] at byte 98 is ignored: not a host and a port",
            "nodes[2] at byte 110 is ignored: not a host and a port",
            "nodes[3] at byte 115 is ignored: not a host and a port",
        ]),
    ),
    (&[], &[("encoding", "i1e")], Ok(&[])),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            ("file tree", "i1e"),
        ],
        &[],
        Err("info.file tree at byte 19: not a dictionary"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            ("file tree", "de"),
        ],
        &[],
        Err("info.file tree at byte 19: empty"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            ("file tree", ""),
        ],
        &[],
        Err("info.file tree is missing"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
            ("piece length", "i1000e"),
        ],
        &[],
        Err(
            "info.piece length at byte 132: piece length 1000 is not a power of two of at least 16384 bytes",
        ),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
            ("piece length", "i49152e"),
        ],
        &[],
        Err(
            "info.piece length at byte 132: piece length 49152 is not a power of two of at least 16384 bytes",
        ),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree",
            ),
        ],
        &[],
        Err(
            "info.file tree at byte 19: a node of the file tree that is both a file and a directory",
        ),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            ("file tree", "d1:ai1ee"),
        ],
        &[],
        Err("info.file tree[\"a\"] at byte 23: not a dictionary"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            ("file tree", "d1:ad0:i1eee"),
        ],
        &[],
        Err("info.file tree[\"a\"] at byte 23: not a dictionary"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            ("file tree", "d1:ad0:d6:lengthi5eeee"),
        ],
        &[],
        Err("info.file tree[\"a\"].pieces root is missing"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root31:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Err("info.file tree[\"a\"].pieces root at byte 52: 31 bytes where a hash of 32 is due"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi-5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Err("info.file tree[\"a\"].length at byte 35: -5 is negative"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Err("info.file tree[\"a\"].length is missing"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrre1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreeee",
            ),
        ],
        &[],
        Err(
            "info.file tree[\"a\"] at byte 23: a node of the file tree that is both a file and a directory",
        ),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            ("file tree", "d1:ad0:d4:attr1:p6:lengthi5eeee"),
        ],
        &[],
        Err("info.file tree[\"a\"].attr at byte 33: a pad file in a v2 file tree"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Err("info.file tree[\"a\"] at byte 92: names of the file tree that are not in order"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0eee",
            ),
        ],
        &[],
        Err("info.file tree[\"a\"].pieces root at byte 52: a hash of zeros"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[("piece layers", "d32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr0:e")],
        Err("piece layers at byte 191: a piece layer that belongs to no file"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d2:..d0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Ok(&["the path \"..\" of file 0 is changed to \"_\""]),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d2:..d1:Ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Ok(&["the path \"../A\" of file 0 is changed to \"_/A\""]),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Ok(&[]),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            ("file tree", "d1:ad0:d6:lengthi0eeee"),
        ],
        &[],
        Err("info.file tree at byte 19: the torrent is empty"),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree1:kd0:d4:attr1:l12:symlink pathl2:..eeee",
            ),
        ],
        &[],
        Err(
            "info.file tree[\"k\"].symlink path at byte 120: the target \"..\" is outside the torrent",
        ),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Ok(&["no piece layer for the file \"a\""]),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[("piece layers", "i1e")],
        Ok(&[
            "piece layers at byte 159 is ignored: not a dictionary",
            "no piece layer for the file \"a\"",
        ]),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[("piece layers", "de")],
        Ok(&["no piece layer for the file \"a\""]),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[("piece layers", "d32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrri1ee")],
        Err(
            "piece layers[7272727272727272727272727272727272727272727272727272727272727272] at byte 195: not a string",
        ),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[(
            "piece layers",
            "d32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr63:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxe",
        )],
        Err(
            "piece layers[7272727272727272727272727272727272727272727272727272727272727272] at byte 195: a piece layer of 63 bytes where 64 are due",
        ),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[(
            "piece layers",
            "d32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr64:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxe",
        )],
        Err(
            "piece layers[7272727272727272727272727272727272727272727272727272727272727272] at byte 195: the piece layer does not match the file's pieces root",
        ),
    ),
    (
        &[
            ("length", ""),
            ("pieces", ""),
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
            ),
        ],
        &[],
        Err(
            "info.file tree[\"d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/\u{2026}\"] at byte 423: a path of more than 100 components",
        ),
    ),
    (
        &[
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Ok(&[]),
    ),
    (
        &[
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Err("info.file tree at byte 19: the v1 and v2 file lists differ: \"a\" and \"b\""),
    ),
    (
        &[
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi6e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Err(
            "info.file tree at byte 19: the v1 and v2 file lists differ: \"a\" of 5 and of 6 bytes",
        ),
    ),
    (
        &[
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
        ],
        &[],
        Err(
            "info.file tree at byte 19: the v1 and v2 file lists differ: \"b\" is only in the v2 tree",
        ),
    ),
    (
        &[
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed6:lengthi5e4:pathl1:beee",
            ),
        ],
        &[],
        Err(
            "info.file tree at byte 19: the v1 and v2 file lists differ: \"b\" is only in the v1 list",
        ),
    ),
    (
        &[
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed6:lengthi5e4:pathl1:beee",
            ),
        ],
        &[],
        Err(
            "info.file tree at byte 19: the v1 and v2 file lists differ: \"b\" does not begin with a piece",
        ),
    ),
    (
        &[
            ("meta version", "i2e"),
            (
                "file tree",
                "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee",
            ),
            ("length", ""),
            (
                "files",
                "ld6:lengthi5e4:pathl1:aeed4:attr1:p6:lengthi16379e4:pathl4:.pad5:16379eed6:lengthi5e4:pathl1:beee",
            ),
            ("pieces", "40:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ],
        &[],
        Ok(&[]),
    ),
];

/// Inputs that are no dictionaries, or no canonical ones.
const WHOLE: &[(&str, Outcome)] = &[
    (
        "",
        Err("not a torrent file: unexpected end of input at byte 0"),
    ),
    ("i1e", Err("the file at byte 0: not a dictionary")),
    ("le", Err("the file at byte 0: not a dictionary")),
    (
        "d",
        Err("not a torrent file: unexpected end of input at byte 1"),
    ),
    (
        "<html></html>",
        Err("not a torrent file: it is a web page (HTML or XML)"),
    ),
    (
        "PK\u{3}\u{4}",
        Err("not a torrent file: it is a zip archive"),
    ),
    (
        "x<html></html>",
        Err("not a torrent file: unexpected byte 0x78 at byte 0"),
    ),
    (
        "d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaeegarbage",
        Ok(&["not canonical bencode: trailing bytes at byte 83"]),
    ),
    (
        "d4:infod4:name1:a6:lengthi05e12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
        Ok(&["not canonical bencode: dictionary keys out of order at byte 17"]),
    ),
    (
        "d4:infod6:lengthi5e4:name1:a4:name1:b12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
        Ok(&["not canonical bencode: a duplicate dictionary key at byte 28"]),
    ),
    (
        "d4:infod6:lengthi99999999999999999999eee",
        Err("not a torrent file: an integer out of range at byte 16"),
    ),
    (
        "d4:infod6:pieces99:aee",
        Err("not a torrent file: unexpected end of input at byte 16"),
    ),
    (
        "d4:infod5:filesllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll",
        Err("not a torrent file: more than 108 nested lists and dictionaries at byte 121"),
    ),
];

fn encode(mut entries: BTreeMap<&str, String>, changes: Changes) -> String {
    entries.extend(changes.iter().map(|&(key, value)| (key, value.to_owned())));
    entries.retain(|_, value| !value.is_empty());
    let entries = entries
        .iter()
        .map(|(key, value)| format!("{}:{key}{value}", key.len()));
    format!("d{}e", entries.collect::<String>())
}

fn torrent(info: Changes, outer: Changes) -> String {
    let base = [
        ("length", "i5e"),
        ("name", "1:a"),
        ("piece length", "i16384e"),
        ("pieces", "20:aaaaaaaaaaaaaaaaaaaa"),
    ];
    let base = base.map(|(key, value)| (key, value.to_owned()));
    encode(BTreeMap::from([("info", encode(base.into(), info))]), outer)
}

fn outcome(torrent: &str) -> Result<Vec<String>, String> {
    match Metainfo::from_bytes(torrent.as_bytes()) {
        Ok(metainfo) => Ok(metainfo
            .warnings()
            .iter()
            .map(ToString::to_string)
            .collect()),
        Err(error) => Err(error.to_string()),
    }
}

fn check(torrent: &str, expected: Outcome) -> Option<String> {
    let expected = match expected {
        Ok(warnings) => Ok(warnings.iter().map(ToString::to_string).collect()),
        Err(error) => Err(error.to_owned()),
    };
    let found = outcome(torrent);
    tailwater_metainfo::fuzz::torrent(torrent.as_bytes());
    (found != expected)
        .then(|| format!("{torrent:?}\n  expected {expected:?}\n  found    {found:?}"))
}

#[test]
fn each_defect_is_named_or_mended() {
    let changed = CASES
        .iter()
        .map(|(info, outer, expected)| (torrent(info, outer), *expected));
    let whole = WHOLE
        .iter()
        .map(|&(input, expected)| (input.to_owned(), expected));
    let wrong: Vec<_> = changed
        .chain(whole)
        .filter_map(|(input, expected)| check(&input, expected))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
