#!/usr/bin/env python3
"""Fails when something is gone from the public interface of a crate that is published, or has another signature.

The baseline is `scripts/public-api/CRATE.txt`: a line for each public item, as rustdoc sees it. What is added breaks no
user and passes, but for a variant of an exhaustive enum and the like. A change that is meant is accepted with `scripts/check-public-api.py --accept`, which writes the
baseline anew; the diff then shows in review what users will notice.

It needs no network and no nightly toolchain: rustdoc's JSON is unstable, and a variable lets a stable rustdoc write it.
`cargo-semver-checks` knows more rules, but has to be built from source and to document every crate twice.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "scripts/public-api"
# The version of rustdoc's JSON that is read below. Another toolchain may write another one.
FORMAT = 57


def type_text(t):
    """A type, nearly as it is written in Rust."""
    if t is None:
        return "()"
    (kind, it), = t.items()
    match kind:
        case "primitive" | "generic":
            return it
        case "resolved_path":
            return it["path"].split("::")[-1] + args_text(it.get("args"))
        case "dyn_trait":
            traits = [trait_text(poly["trait"]) for poly in it["traits"]]
            return "dyn " + " + ".join(traits + [it["lifetime"]] if it.get("lifetime") else traits)
        case "impl_trait":
            return "impl " + bounds_text(it)
        case "borrowed_ref":
            lifetime = f"{it['lifetime']} " if it.get("lifetime") else ""
            return f"&{lifetime}{'mut ' if it.get('is_mutable') else ''}{type_text(it['type'])}"
        case "raw_pointer":
            return f"*{'mut' if it.get('is_mutable') else 'const'} {type_text(it['type'])}"
        case "tuple":
            return f"({', '.join(map(type_text, it))})"
        case "slice":
            return f"[{type_text(it)}]"
        case "array":
            return f"[{type_text(it['type'])}; {it['len']}]"
        case "qualified_path":
            of = f" as {trait_text(it['trait'])}" if it.get("trait") and it["trait"]["path"] else ""
            return f"<{type_text(it['self_type'])}{of}>::{it['name']}{args_text(it.get('args'))}"
        case "function_pointer":
            return "fn" + sig_text(it["sig"])
        case _:
            return json.dumps(t, sort_keys=True)


def args_text(args):
    if not args:
        return ""
    if "parenthesized" in args:
        it = args["parenthesized"]
        output = f" -> {type_text(it['output'])}" if it.get("output") else ""
        return f"({', '.join(map(type_text, it['inputs']))}){output}"
    if "angle_bracketed" not in args:
        return ""
    it, texts = args["angle_bracketed"], []
    for arg in it["args"]:
        if isinstance(arg, str):
            texts.append(arg)
        elif "type" in arg:
            texts.append(type_text(arg["type"]))
        elif "lifetime" in arg:
            texts.append(arg["lifetime"])
        else:
            texts.append(str(arg.get("const", arg)))
    for constraint in it.get("constraints", []):
        binding = constraint["binding"]
        if "equality" in binding:
            term = binding["equality"]
            texts.append(f"{constraint['name']} = {type_text(term['type']) if 'type' in term else term}")
        else:
            texts.append(f"{constraint['name']}: {bounds_text(binding['constraint'])}")
    return f"<{', '.join(texts)}>" if texts else ""


def trait_text(trait):
    return trait["path"].split("::")[-1] + args_text(trait.get("args"))


def bounds_text(bounds):
    texts = []
    for bound in bounds:
        if "trait_bound" in bound:
            modifier = "?" if bound["trait_bound"].get("modifier") == "maybe" else ""
            texts.append(modifier + trait_text(bound["trait_bound"]["trait"]))
        elif "outlives" in bound:
            texts.append(bound["outlives"])
        else:
            texts.append("use<..>")
    return " + ".join(texts)


def generics_text(generics):
    texts = []
    for param in generics["params"]:
        (kind, it), = param["kind"].items()
        if kind == "type" and not it.get("is_synthetic"):
            bounds = bounds_text(it["bounds"])
            texts.append(f"{param['name']}: {bounds}" if bounds else param["name"])
        elif kind == "const":
            texts.append(f"const {param['name']}: {type_text(it['type'])}")
    for where in generics["where_predicates"]:
        if it := where.get("bound_predicate"):
            texts.append(f"{type_text(it['type'])}: {bounds_text(it['bounds'])}")
    return f"<{', '.join(texts)}>" if texts else ""


def sig_text(sig):
    inputs = ", ".join(type_text(ty) if name != "self" else f"self: {type_text(ty)}" for name, ty in sig["inputs"])
    output = f" -> {type_text(sig['output'])}" if sig.get("output") else ""
    return f"({inputs}){output}"


def function_text(name, it):
    header = it["header"]
    words = [word for word in ("const", "async", "unsafe") if header.get(f"is_{word}")]
    return " ".join([*words, f"fn {name}{generics_text(it['generics'])}{sig_text(it['sig'])}"])


def has_private(kind):
    if not isinstance(kind, dict):
        return False
    return kind["plain"]["has_stripped_fields"] if "plain" in kind else None in kind["tuple"]


def is_breaking(line, before):
    """Whether a new item breaks users all the same: a variant or field that they have to name, a method to implement."""
    kind, _, rest = line.partition(" ")
    if kind == "variant":
        return f"enum {rest.rpartition('::')[0]}" in before
    if kind == "field":
        return f"struct {rest.partition(': ')[0].rpartition('::')[0]}" in before
    owner, _, what = line.partition(": ")
    is_trait = any(old == f"trait {owner}" or old.startswith((f"trait {owner}:", f"trait {owner}<")) for old in before)
    return is_trait and not what.startswith("given ")


class Crate:
    def __init__(self, document):
        self.index, self.lines = document["index"], set()
        root = self.item(document["root"])
        self.module(root["inner"]["module"], root["name"], set())

    def item(self, number):
        return self.index.get(str(number))

    def module(self, module, path, within):
        for number in module["items"]:
            if item := self.item(number):
                self.add(item, path, within)

    def add(self, item, path, within, name=None):
        (kind, it), = item["inner"].items()
        name = name or item["name"]
        here = f"{path}::{name}"
        attrs = json.dumps(item["attrs"])
        open_ended = "#[non_exhaustive] " if "non_exhaustive" in attrs else ""
        if item["visibility"] not in ("public", "default"):
            return
        match kind:
            case "module":
                self.lines.add(f"mod {here}")
                self.module(it, here, within)
            case "use":
                target = self.item(it["id"]) if it.get("id") is not None else None
                if target is None or it["id"] in within:
                    # Of another crate: its own baseline has the rest.
                    self.lines.add(f"use {path}::{it['name']}")
                elif "module" in target["inner"] and it["is_glob"]:
                    self.module(target["inner"]["module"], path, within | {it["id"]})
                else:
                    self.add({**target, "visibility": "public"}, path, within | {it["id"]}, it["name"])
            case "struct" | "union":
                # With a private field nobody can build it, so another one does no harm.
                private = " { .. }" if kind == "union" or has_private(it["kind"]) else ""
                self.lines.add(f"{open_ended}{kind} {here}{generics_text(it['generics'])}{private}")
                self.fields(it.get("kind"), here)
                self.impls(it["impls"], here)
            case "enum":
                self.lines.add(f"{open_ended}enum {here}{generics_text(it['generics'])}")
                for variant in map(self.item, it["variants"]):
                    if variant:
                        self.lines.add(f"variant {here}::{variant['name']}")
                        self.fields(variant["inner"]["variant"]["kind"], f"{here}::{variant['name']}")
                self.impls(it["impls"], here)
            case "trait":
                bounds = bounds_text(it["bounds"])
                self.lines.add(f"trait {here}{generics_text(it['generics'])}{': ' if bounds else ''}{bounds}")
                for part in map(self.item, it["items"]):
                    if part:
                        self.part(part, here, is_trait=True)
            case "function":
                self.lines.add(f"{path}: {function_text(name, it)}")
            case "constant":
                self.lines.add(f"const {here}: {type_text(it['type'])}")
            case "static":
                self.lines.add(f"static {here}: {type_text(it['type'])}")
            case "type_alias":
                self.lines.add(f"type {here}{generics_text(it['generics'])} = {type_text(it['type'])}")
            case _:
                self.lines.add(f"{kind} {here}")

    def fields(self, kind, path):
        if not isinstance(kind, dict):
            return
        numbers = kind["plain"]["fields"] if "plain" in kind else kind["struct"]["fields"] if "struct" in kind else kind.get("tuple", [])
        for field in (self.item(number) for number in numbers if number is not None):
            if field and field["visibility"] in ("public", "default"):
                self.lines.add(f"field {path}::{field['name']}: {type_text(field['inner']['struct_field'])}")

    def impls(self, numbers, path):
        for block in (self.item(number) for number in numbers):
            if not block:
                continue
            it = block["inner"]["impl"]
            if it["blanket_impl"]:
                continue
            if trait := it["trait"]:
                # Auto traits too: a type that is not `Send` any more breaks users.
                if trait["path"].split("::")[-1] not in ("StructuralPartialEq", "Freeze", "UnsafeUnpin", "UnwindSafe", "RefUnwindSafe"):
                    self.lines.add(f"impl {'!' if it['is_negative'] else ''}{trait_text(trait)} for {path}")
                continue
            for part in map(self.item, it["items"]):
                if part and part["visibility"] == "public":
                    self.part(part, path)

    def part(self, part, path, is_trait=False):
        (kind, it), = part["inner"].items()
        match kind:
            case "function":
                given = "given " if is_trait and it.get("has_body") else ""
                self.lines.add(f"{path}: {given}{function_text(part['name'], it)}")
            case "assoc_const":
                self.lines.add(f"const {path}::{part['name']}: {type_text(it['type'])}")
            case _:
                self.lines.add(f"{kind} {path}::{part['name']}")


def published():
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout)
    for package in metadata["packages"]:
        # An empty list: never published.
        if package["publish"] != []:
            for target in package["targets"]:
                if "lib" in target["kind"]:
                    yield package["name"], target["name"].replace("-", "_")


def document(target_dir, crates):
    # For rustdoc alone: build scripts look at the variable, and would have everything compiled anew.
    rustdoc = target_dir / "json-rustdoc"
    target_dir.mkdir(parents=True, exist_ok=True)
    rustdoc.write_text('#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@" -Zunstable-options --output-format json\n')
    rustdoc.chmod(0o755)
    packages = [word for name, _ in crates for word in ("--package", name)]
    subprocess.run(
        ["cargo", "doc", "--quiet", "--lib", "--no-deps", "--all-features", *packages],
        cwd=ROOT, check=True, env={**os.environ, "RUSTDOC": str(rustdoc)},
    )


def main() -> int:
    accept = sys.argv[1:] == ["--accept"]
    crates = list(published())
    target_dir = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    document(target_dir, crates)
    broken, added = 0, 0
    BASELINE.mkdir(exist_ok=True)
    for name, lib in crates:
        found = json.loads((target_dir / "doc" / f"{lib}.json").read_text())
        if found["format_version"] != FORMAT:
            print(f"skipped: rustdoc writes format {found['format_version']}, and {FORMAT} is read here")
            return 0
        now = Crate(found).lines
        baseline = BASELINE / f"{name}.txt"
        before = set(baseline.read_text().splitlines()) if baseline.exists() else set()
        if accept:
            baseline.write_text("".join(f"{line}\n" for line in sorted(now)))
        breaking = [f"gone: {line}" for line in sorted(before - now)]
        breaking += [f"new: {line}" for line in sorted(now - before) if is_breaking(line, before)]
        for line in breaking:
            print(f"{name}: {line}", file=sys.stderr)
        broken += len(breaking)
        added += len(now - before)
    print(f"{len(crates)} crates, {broken} public items changed in a way that breaks users, {added} new")
    if accept:
        return 0
    if broken:
        print("if that is meant: scripts/check-public-api.py --accept, and say so in CHANGELOG.md", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
