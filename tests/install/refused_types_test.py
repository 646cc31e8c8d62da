#!/usr/bin/env python3
"""Types that cannot be stored do not compile, and the compiler's message says why."""

import subprocess
import sys

import installed
from installed import CXX, expect

BEFORE = """
#include <commy/commy.h>
namespace acme {
"""
AFTER = """
}
template class commy::%s;
"""

# What is declared, the container, and what the message has to say.
REFUSED = {
    "a pointer": (
        "struct Node { int value; };", "SharedMap<int, acme::Node*, commy::Order::kHash>",
        "a pointer cannot be stored"),
    "a view": ("", "SharedBox<std::string_view>", "pointers and views cannot be stored"),
    "a struct that is not described": (
        "struct Plain { int value; };", "SharedBox<acme::Plain>",
        "describe a struct with COMMY_STRUCT"),
    "a pointer in a struct": (
        "struct Node { int value; Node* next; }; COMMY_STRUCT(Node, \"acme.Node\", value, next);",
        "SharedBox<acme::Node>", "a pointer cannot be stored"),
    "a field that is left out": (
        "struct Two { int a; int b; }; COMMY_STRUCT(Two, \"acme.Two\", a);",
        "SharedBox<acme::Two>", "name all fields, in the order of their declaration"),
    "fields in another order": (
        "struct Two { int a; double b; }; COMMY_STRUCT(Two, \"acme.Two\", b, a);",
        "SharedBox<acme::Two>", "name all fields, in the order of their declaration"),
    "a struct of numbers with a destructor": (
        "struct Own { int a; ~Own() {} }; COMMY_STRUCT(Own, \"acme.Own\", a);",
        "SharedBox<acme::Own>", "must be trivially copyable"),
    "a struct aligned too much": (
        "struct alignas(128) Wide { int a; }; COMMY_STRUCT(Wide, \"acme.Wide\", a);",
        "SharedBox<acme::Wide>", "aligns values to 64 bytes at most"),
    "a struct without fields": (
        "struct None {}; COMMY_STRUCT(None, \"acme.None\");",
        "SharedBox<acme::None>", "a struct without fields has nothing to store"),
    "a name with a blank": (
        "struct One { int a; }; COMMY_STRUCT(One, \"acme One\", a);",
        "SharedBox<acme::One>", "identifiers with dots"),
    "an optional of an optional": (
        "", "SharedBox<std::optional<std::optional<int>>>", "an optional of an optional"),
    "a long double": ("", "SharedBox<long double>", "use double"),
    "a key without a codec": (
        "struct Plain { int value; };", "SharedSet<acme::Plain, commy::Order::kHash>",
        "the element type has no commy::KeyCodec"),
}

PREFIX = """
using Events = commy::SharedBTreeMap<std::tuple<std::int64_t, std::string>, int>;
inline auto Of(const Events& events) { return events.WithPrefix(%s); }
"""


def messages(declared, container):
    """What the compiler says; None: it compiles."""
    text = BEFORE + declared + AFTER % container
    done = subprocess.run([CXX[-1], "-std=c++20", "-fsyntax-only", "-fmax-errors=3",
                           "-I", installed.SOURCE / "include", "-x", "c++", "-"],
                          input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return None if done.returncode == 0 else done.stdout


def test_a_type_that_can_be_stored_compiles():
    said = messages("struct Two { int a; int b; }; COMMY_STRUCT(Two, \"acme.Two\", a, b);",
                    "SharedBox<acme::Two>")
    expect(said is None, said)


def test_each_type_that_cannot_be_stored_is_refused_with_its_reason():
    for what, (declared, container, reason) in REFUSED.items():
        said = messages(declared, container)
        expect(said is not None, f"{what} compiles")
        expect(reason in said, f"{what}: the message does not say {reason!r}:\n{said}")


def test_a_prefix_has_parts_of_the_keys_types():
    said = messages(PREFIX % "7, std::string()", "SharedBox<int>")
    expect(said is None, said)
    said = messages(PREFIX % '"pump"', "SharedBox<int>")
    expect(said is not None, "text for a number compiles")
    expect("a part of the prefix is not of the type" in said, said)


if __name__ == "__main__":
    installed.run(sys.modules[__name__])
