"""Trees as in RFC 6962: the published test vectors, and every path of every small tree."""

from __future__ import annotations

import hashlib
import random

import pytest

from admin_ext.audit.seals.merkle import PathDoesNotFit, Tree, leaf_hash, node_hash, root_from_path, root_of

# The leaves and roots that Certificate Transparency's implementations test themselves with.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(b"%d" % n).digest() for n in range(count)]


def root_by_the_book(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return node_hash(root_by_the_book(hashes[:k]), root_by_the_book(hashes[k:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_the_published_vectors(size):
    hashes = [leaf_hash(bytes.fromhex(each)) for each in INPUTS[:size]]
    assert root_of(hashes).hex() == Tree(hashes).root.hex() == ROOTS[size - 1]


def test_the_root_of_nothing():
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 130))
def test_every_path_leads_to_the_root(size):
    hashes = leaves(size)
    root, tree = root_by_the_book(hashes), Tree(hashes)
    assert root_of(iter(hashes)) == tree.root == root
    for index, each in enumerate(hashes):
        assert root_from_path(each, index=index, size=size, path=tree.path(index)) == root


def test_a_path_of_fifty_thousand_has_at_most_sixteen_hashes():
    hashes = leaves(50_000)
    tree = Tree(hashes)
    assert max(len(tree.path(n)) for n in range(0, 50_000, 777)) <= 16
    assert tree.root == root_of(hashes)


@pytest.mark.tamper
def test_every_mutated_path_is_refused():
    """1,000 random trees, 1,000 mutated paths each."""
    seen = 0
    dice = random.Random(6962)
    for _ in range(1000):
        size = dice.randrange(2, 400)
        hashes = leaves(size)
        tree = Tree(hashes)
        for _ in range(1000):
            seen += 1
            assert refused(dice, hashes, tree)
    print(f"\n{seen:,} mutated paths refused")


def test_mutated_paths_are_refused():
    dice = random.Random(9162)
    for size in (2, 3, 7, 64, 100):
        hashes = leaves(size)
        assert all(refused(dice, hashes, Tree(hashes)) for _ in range(40))


def refused(dice: random.Random, hashes: list[bytes], tree: Tree) -> bool:
    size = len(hashes)
    index = dice.randrange(size)
    leaf, path = hashes[index], tree.path(index)
    match dice.randrange(6):
        case 0:
            leaf = flipped(dice, leaf)
        case 1:
            place = dice.randrange(len(path))
            path[place] = flipped(dice, path[place])
        case 2:
            path = path[:-1]
        case 3:
            path = [*path, bytes(32)]
        case 4:
            index = (index + dice.randrange(1, size)) % size
        case 5:
            # An inner node passed off as a leaf.
            leaf, path = node_hash(leaf, path[0]) if not index & 1 else node_hash(path[0], leaf), path[1:]
            index >>= 1
    try:
        return root_from_path(leaf, index=index, size=size, path=path) != tree.root
    except PathDoesNotFit:
        return True


def flipped(dice: random.Random, octets: bytes) -> bytes:
    place = dice.randrange(len(octets))
    return octets[:place] + bytes([octets[place] ^ (1 << dice.randrange(8))]) + octets[place + 1 :]
