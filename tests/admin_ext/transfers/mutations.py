"""Files that were whole once: each mutation damages bytes as mail, disks, programs and people do."""

import io
import re
import zipfile

_ENCODINGS = (
    "utf-8-sig",
    "utf-16",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "cp1252",
    "cp1251",
    "shift_jis",
    "gb18030",
    "utf-7",
)
_HOSTILE = (
    b"\0",
    b'"',
    b'""',
    b"'",
    b",",
    b";",
    b"\t",
    b"\r",
    b"\n",
    b"\r\r\n",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\\",
    b"=",
)
_NUMBERS = (b"0", b"-1", b"65536", b"1048577", b"4294967296", b"99999999999999999999", b"1e999", b"NaN", b"")
_MOST = 1 << 21


def mutate(content: bytes, chance) -> tuple[str, bytes]:
    """Give the name of a mutation and the mutated bytes; `chance` is a seeded random.Random."""
    kinds = [*_OF_BYTES, *(_OF_ARCHIVES if content.startswith(b"PK") else _OF_TEXTS)] * 1
    if content.startswith(b"PK"):
        kinds += _OF_ARCHIVES * 3  # most damage to a packed file is found by its checksums; this goes deeper
    made = chance.choice(kinds)
    return made.__name__.lstrip("_"), made(content, chance)[:_MOST]


def _place(content, chance):
    return chance.randrange(len(content) + 1)


def _flipped_bits(content, chance):
    damaged = bytearray(content or b"a")
    for _ in range(chance.choice((1, 3, 30))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _cut_off(content, chance):
    return content[: _place(content, chance)]


def _beheaded(content, chance):
    return content[_place(content, chance) :]


def _inserted(content, chance):
    for _ in range(chance.choice((1, 5, 50))):
        place = _place(content, chance)
        piece = chance.choice((*_HOSTILE, chance.randbytes(chance.randrange(1, 40))))
        content = content[:place] + piece + content[place:]
    return content


def _swapped_blocks(content, chance):
    size = chance.choice((16, 512, 4096))
    blocks = [content[start : start + size] for start in range(0, len(content), size)] or [b""]
    one, other = chance.randrange(len(blocks)), chance.randrange(len(blocks))
    blocks[one], blocks[other] = blocks[other], blocks[one]
    return b"".join(blocks)


def _lost_block(content, chance):
    place = _place(content, chance)
    return content[:place] + content[place + chance.choice((1, 64, 4096)) :]


def _doubled_block(content, chance):
    place = _place(content, chance)
    return content[:place] + content[place : place + 4096] * chance.choice((2, 20)) + content[place:]


def _zeroed(content, chance):
    place = _place(content, chance)
    size = min(chance.choice((1, 64, 4096)), len(content) - place)
    return content[:place] + b"\0" * size + content[place + size :]


def _other_delimiter(content, chance):
    old, new = chance.sample((b",", b";", b"\t", b"|", b" ", b":", b"^"), 2)
    return content.replace(old, new, chance.choice((-1, 5)))


def _other_quote(content, chance):
    new = chance.choice((b"'", b"", b'""', b'\\"', b"\xe2\x80\x9c"))
    return content.replace(b'"', new, chance.choice((-1, 3)))


def _other_line_ends(content, chance):
    new = chance.choice((b"\r", b"\n\r", b"\r\r\n", b"\x85", b"\xe2\x80\xa8", b"\n\n", b""))
    return content.replace(b"\r\n", b"\n").replace(b"\n", new, chance.choice((-1, 5)))


def _other_encoding(content, chance):
    text = content.decode("utf-8", "replace")
    return text.encode(chance.choice(_ENCODINGS), "replace")


def _shuffled_lines(content, chance):
    lines = content.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _parts(content):
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # the seed may be broken itself
        return {}


def _packed(parts):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return packed.getvalue()


def _with_a_part(content, chance, change):
    parts = _parts(content)
    xml = sorted(name for name in parts if name.endswith((".xml", ".rels", ".bin")) and len(parts[name]) < _MOST)
    if not xml:
        return _flipped_bits(content, chance)
    name = chance.choice([name for name in xml if "sheet" in name.lower() or "content" in name] * 3 + xml)
    parts[name] = change(parts[name])
    return _packed(parts)


def _flipped_inside(content, chance):
    return _with_a_part(content, chance, lambda part: _flipped_bits(part, chance))


def _cut_off_inside(content, chance):
    return _with_a_part(content, chance, lambda part: _cut_off(part, chance))


def _swapped_inside(content, chance):
    return _with_a_part(content, chance, lambda part: _swapped_blocks(part, chance))


def _other_number_inside(content, chance):
    def change(part):
        found = list(re.finditer(rb"\d+", part))
        for number in chance.sample(found, min(len(found), 2)):
            part = part[: number.start()] + chance.choice(_NUMBERS) + part[number.end() :]
            break
        return part

    return _with_a_part(content, chance, change)


def _other_tag_inside(content, chance):
    def change(part):
        found = list(re.finditer(rb"</?[\w:]+", part))
        if not found:
            return part
        one, other = chance.choice(found), chance.choice(found)
        return part[: one.start()] + other[0] + part[one.end() :]

    return _with_a_part(content, chance, change)


def _other_type_inside(content, chance):
    kind = chance.choice((b"s", b"e", b"b", b"d", b"n", b"str", b"inlineStr", b"klingon"))
    return _with_a_part(
        content, chance, lambda part: re.sub(rb' t="\w+"', b' t="' + kind + b'"', part, count=chance.choice((0, 1)))
    )


def _lost_part(content, chance):
    parts = _parts(content)
    if len(parts) < 2:
        return _cut_off(content, chance)
    del parts[chance.choice(sorted(parts))]
    return _packed(parts)


def _exchanged_parts(content, chance):
    parts = _parts(content)
    if len(parts) < 2:
        return _swapped_blocks(content, chance)
    one, other = chance.sample(sorted(parts), 2)
    parts[one], parts[other] = parts[other], parts[one]
    return _packed(parts)


_OF_BYTES = [_flipped_bits, _cut_off, _beheaded, _inserted, _swapped_blocks, _lost_block, _doubled_block, _zeroed]
_OF_TEXTS = [_other_delimiter, _other_quote, _other_line_ends, _other_encoding, _shuffled_lines]
_OF_ARCHIVES = [
    *(_flipped_inside, _cut_off_inside, _swapped_inside, _other_number_inside, _other_tag_inside),
    *(_other_type_inside, _lost_part, _exchanged_parts),
]
