#!/usr/bin/env python3
"""Two programs that are built apart, by two compilers, share each container by name; and the shell
prints and edits all of them by their types."""

import shutil
import sys

import installed
from installed import COMMY, CXX, SOURCE, call, expect, expect_equal, need

TYPED = SOURCE / "tests" / "install" / "typed"


def build(tree, compiler, name):
    flags = call(need("pkg-config"), "--cflags", "--libs", "commy",
                 env={"PKG_CONFIG_PATH": str(tree.pkg_config_dir)}).split()
    program = tree.folder / f"{name}-{compiler.rsplit('/', 1)[-1]}"
    call(compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-o", program, TYPED / f"{name}.cc",
         *flags)
    return program


def share(tree, writer, reader, store):
    env = {"LD_LIBRARY_PATH": str(tree.libdir)}
    call(writer, store, env=env)
    shell = lambda *words: call(COMMY, words[0], store, *words[1:])
    shell("put", "hash", "8", '{"x":0,"y":9}')
    shell("put", "tree", "31,eve", "platinum")
    shell("put", "names", "two")
    shell("put", "config", "", '{"name":"shell","port":8080}')
    shell("add", "hits", "", "1")
    expect_equal(call(reader, store, env=env), "all there\n", "the second program")
    expect_equal(shell("get", "hash", "7").strip(), '{"x":1.5,"y":-2.0}', "a struct")
    expect_equal(shell("scan", "tree"), "-5,ann\tnone\n30,bob\tgold\n31,eve\tplatinum\n", "tuples")
    expect_equal(shell("get", "frames", "-1").strip(), '{"kind":3,"size":400}', "a wide struct")
    expect_equal(shell("get", "modes", "lamp").strip(), "1", "an enum")
    expect_equal(shell("scan", "numbers").strip(), "-0.5", "a set of numbers")
    expect_equal(shell("get", "config").strip(), '{"name":"reader","port":81}', "a box")
    expect_equal(shell("get", "hits").strip(), "50", "a counter")
    # A dump keeps the types.
    dumped = tree.folder / f"{store.name}.jsonl"
    copy = tree.folder / f"{store.name}.copy"
    for ns in ("hash", "tree", "names", "config", "hits"):
        shell("dump", ns, dumped, "--format", "jsonl")
        call(COMMY, "load", copy, ns, dumped, "--format", "jsonl")
    listed = call(COMMY, "ns", "list", copy)
    for text in ("map<u64,struct acme.Position{x:f64,y:f64}>", "map<tuple<i64,string>,string>",
                 "set<string>", "box<struct acme.Config{name:string,port:u16}>", "counter"):
        expect(text in listed, f"{text} is not in the list of the copy:\n{listed}")
    expect_equal(call(COMMY, "get", copy, "hits").strip(), "50", "the counter of the copy")
    expect("sound" in call(COMMY, "check", store), "the store is not sound")


def test_programs_of_each_pair_of_compilers_share_all_containers():
    compilers = [CXX[-1], *(["clang++"] if shutil.which("clang++") else [])]
    with installed.temporary() as folder:
        tree = installed.Tree(folder)
        writers = [build(tree, compiler, "writer") for compiler in compilers]
        readers = [build(tree, compiler, "reader") for compiler in reversed(compilers)]
        for number, (writer, reader) in enumerate(zip(writers, readers)):
            share(tree, writer, reader, tree.folder / f"store{number}")


if __name__ == "__main__":
    installed.run(sys.modules[__name__])
