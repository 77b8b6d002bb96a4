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
    (&[], &[("info", "")], Ok(&[])),
    (&[], &[("info", "i1e")], Ok(&[])),
    (&[], &[("info", "le")], Ok(&[])),
    (&[], &[("info", "de")], Ok(&[])),
    (&[("name", "")], &[], Ok(&[])),
    (&[("name", "i1e")], &[], Ok(&[])),
    (&[("name", "0:")], &[], Ok(&[])),
    (&[("name", "2:..")], &[], Ok(&[])),
    (&[("name", "1:/")], &[], Ok(&[])),
    (&[("name", "4:../a")], &[], Ok(&[])),
    (&[("name", "3:con")], &[], Ok(&[])),
    (&[("name", "3:a/b")], &[], Ok(&[])),
    (&[("name.utf-8", "2:\u{e9}")], &[], Ok(&[])),
    (&[("name.utf-8", "i1e")], &[], Ok(&[])),
    (&[("name", "304:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.mkv")], &[], Ok(&[])),
    (&[("piece length", "")], &[], Ok(&[])),
    (&[("piece length", "i0e")], &[], Ok(&[])),
    (&[("piece length", "i-1e")], &[], Ok(&[])),
    (&[("piece length", "i268435457e")], &[], Ok(&[])),
    (&[("piece length", "i9223372036854775807e")], &[], Ok(&[])),
    (&[("piece length", "5:16384")], &[], Ok(&[])),
    (&[("length", "")], &[], Ok(&[])),
    (&[("length", "i-1e")], &[], Ok(&[])),
    (&[("length", "i0e")], &[], Ok(&[])),
    (&[("length", "1:5")], &[], Ok(&[])),
    (&[("length", "i9223372036854775807e")], &[], Ok(&[])),
    (&[("pieces", "")], &[], Ok(&[])),
    (&[("pieces", "i1e")], &[], Ok(&[])),
    (&[("pieces", "0:")], &[], Ok(&[])),
    (&[("pieces", "19:aaaaaaaaaaaaaaaaaaa")], &[], Ok(&[])),
    (&[("pieces", "40:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")], &[], Ok(&[])),
    (&[("length", "i16385e")], &[], Ok(&[])),
    (&[("files", "ld6:lengthi5e4:pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "le")], &[], Ok(&[])),
    (&[("length", ""), ("files", "i1e")], &[], Ok(&[])),
    (&[("length", ""), ("files", "de")], &[], Ok(&[])),
    (&[("length", ""), ("files", "li1ee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi-5e4:pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld4:pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5eee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:path1:aee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathleee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathli1eeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed6:length1:54:pathl1:beee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi9223372036854775807e4:pathl1:aeed6:lengthi9223372036854775807e4:pathl1:beed6:lengthi2e4:pathl1:ceee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi0e4:pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl2:..eee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl2:..2:..3:etc6:passwdeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl0:3:etc6:passwdeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl11:/etc/passwdeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:.1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl6:a\\..\\beee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl3:a\u{0}beee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl8:a\u{a}b\u{1b}[31meee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl13:gpj\u{202e}exe.txteee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl3:dir7:NUL.txteee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl255:yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy.flaceee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi2e4:pathl5:a.txteed6:lengthi3e4:pathl5:a.txteee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi2e4:pathl5:a.txteed6:lengthi3e4:pathl5:A.TXTeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi2e4:pathl1:aeed6:lengthi3e4:pathl1:a1:beee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi2e4:pathl1:a1:beed6:lengthi3e4:pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi1e4:pathl1:aeed6:lengthi1e4:pathl3:a.1eed6:lengthi3e4:pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi2e4:pathl1:beed6:lengthi3e4:pathl2:..1:beee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi1e4:pathl1:aeed6:lengthi1e4:pathl1:aeed6:lengthi1e4:pathl1:aeed6:lengthi2e4:pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:?e10:path.utf-8l2:\u{e9}eee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:be10:path.utf-81:aee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld4:attri1e6:lengthi5e4:pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld4:attr3:xhz6:lengthi5e4:pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:p6:lengthi5eee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:p6:lengthi5e4:pathl2:..eee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl2:..1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl0:3:etceee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl4:/etceee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathleee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink path1:aee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l6:lengthi5e4:pathl1:ke12:symlink pathl1:aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl1:beee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:keee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:l4:pathl1:ke12:symlink pathl4:..\\aeee")], &[], Ok(&[])),
    (&[("length", ""), ("files", "ld4:attr1:l4:pathl1:ke12:symlink pathl1:aeed6:lengthi5e4:pathl1:k1:xeee")], &[], Ok(&[])),
    (&[("private", "i1e")], &[], Ok(&[])),
    (&[("private", "i2e")], &[], Ok(&[])),
    (&[("private", "1:1")], &[], Ok(&[])),
    (&[("meta version", "1:2")], &[], Ok(&[])),
    (&[("meta version", "i3e")], &[], Ok(&[])),
    (&[("meta version", "i1e")], &[], Ok(&[])),
    (&[], &[("announce", "i1e")], Ok(&[])),
    (&[], &[("announce", "0:")], Ok(&[])),
    (&[], &[("announce", "7:tracker")], Ok(&[])),
    (&[], &[("announce-list", "0:")], Ok(&[])),
    (&[], &[("announce-list", "le"), ("announce", "9:http://a/")], Ok(&[])),
    (&[], &[("announce-list", "llee")], Ok(&[])),
    (&[], &[("announce-list", "l9:http://a/e")], Ok(&[])),
    (&[], &[("announce-list", "lli1e9:http://a/ei2ee")], Ok(&[])),
    (&[], &[("announce-list", "de")], Ok(&[])),
    (&[], &[("creation date", "10:1700000000")], Ok(&[])),
    (&[], &[("creation date", "9:yesterday")], Ok(&[])),
    (&[], &[("creation date", "le")], Ok(&[])),
    (&[], &[("comment", "i1e")], Ok(&[])),
    (&[], &[("created by", "le")], Ok(&[])),
    (&[], &[("url-list", "0:")], Ok(&[])),
    (&[], &[("url-list", "i1e")], Ok(&[])),
    (&[], &[("url-list", "li1e9:http://s/e")], Ok(&[])),
    (&[], &[("httpseeds", "i1e")], Ok(&[])),
    (&[], &[("nodes", "i1e")], Ok(&[])),
    (&[], &[("nodes", "ll1:hi0eel1:hi70000eel1:hei1el1:hi1eee")], Ok(&[])),
    (&[], &[("encoding", "i1e")], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "i1e")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "de")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee"), ("piece length", "i1000e")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee"), ("piece length", "i49152e")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ai1ee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:i1eee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5eeee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root31:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi-5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrre1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreeee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d4:attr1:p6:lengthi5eeee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d2:..d0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d2:..d1:Ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi0eeee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree1:kd0:d4:attr1:l12:symlink pathl2:..eeee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[("piece layers", "i1e")], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[("piece layers", "de")], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[("piece layers", "d32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrri1ee")], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[("piece layers", "d32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr63:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxe")], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi16385e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[("piece layers", "d32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr64:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxe")], Ok(&[])),
    (&[("length", ""), ("pieces", ""), ("meta version", "i2e"), ("file tree", "d1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd1:dd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee")], &[], Ok(&[])),
    (&[("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("meta version", "i2e"), ("file tree", "d1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi6e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee")], &[], Ok(&[])),
    (&[("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee"), ("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed6:lengthi5e4:pathl1:beee")], &[], Ok(&[])),
    (&[("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee"), ("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed6:lengthi5e4:pathl1:beee")], &[], Ok(&[])),
    (&[("meta version", "i2e"), ("file tree", "d1:ad0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree1:bd0:d6:lengthi5e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee"), ("length", ""), ("files", "ld6:lengthi5e4:pathl1:aeed4:attr1:p6:lengthi16379e4:pathl4:.pad5:16379eed6:lengthi5e4:pathl1:beee"), ("pieces", "40:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")], &[], Ok(&[])),
];

/// Inputs that are no dictionaries, or no canonical ones.
const WHOLE: &[(&str, Outcome)] = &[
    ("", Ok(&[])),
    ("i1e", Ok(&[])),
    ("le", Ok(&[])),
    ("d", Ok(&[])),
    ("<html></html>", Ok(&[])),
    ("d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaeegarbage", Ok(&[])),
    ("d4:infod4:name1:a6:lengthi05e12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee", Ok(&[])),
    ("d4:infod6:lengthi5e4:name1:a4:name1:b12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee", Ok(&[])),
    ("d4:infod6:lengthi99999999999999999999eee", Ok(&[])),
    ("d4:infod6:pieces99:aee", Ok(&[])),
    ("d4:infod5:filesllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll", Ok(&[])),
];

fn encode(mut entries: BTreeMap<&str, String>, changes: Changes) -> String {
    entries.extend(changes.iter().map(|&(key, value)| (key, value.to_owned())));
    entries.retain(|_, value| !value.is_empty());
    let entries = entries.iter().map(|(key, value)| format!("{}:{key}{value}", key.len()));
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
        Ok(metainfo) => Ok(metainfo.warnings().iter().map(ToString::to_string).collect()),
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
    (found != expected).then(|| format!("{torrent:?}\n  expected {expected:?}\n  found    {found:?}"))
}

#[test]
fn each_defect_is_named_or_mended() {
    let changed = CASES.iter().map(|(info, outer, expected)| (torrent(info, outer), *expected));
    let whole = WHOLE.iter().map(|&(input, expected)| (input.to_owned(), expected));
    let wrong: Vec<_> = changed.chain(whole).filter_map(|(input, expected)| check(&input, expected)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
#[test]
fn dump() {
    let mut out = Vec::new();
    let changed = CASES.iter().map(|(info, outer, _)| torrent(info, outer));
    let whole = WHOLE.iter().map(|&(input, _)| input.to_owned());
    for t in changed.chain(whole) {
        out.push(match outcome(&t) {
            Ok(w) => format!("[true,[{}]]", w.iter().map(|w| js(w)).collect::<Vec<_>>().join(",")),
            Err(e) => format!("[false,{}]", js(&e)),
        });
    }
    std::fs::write("/tmp/gen/out.json", format!("[{}]", out.join(",\n"))).unwrap();
}
fn js(t: &str) -> String {
    let mut o = String::from("\"");
    for c in t.chars() { if c == '"' || c == '\\' { o.push('\\'); o.push(c) } else if c.is_control() { o.push_str(&format!("\\u{:04x}", c as u32)) } else { o.push(c) } }
    o.push('"'); o
}
