"""readers.py NAME FILE [LENGTH]: the data of the file to stdout, as that library reads it. The version to stderr.

With LENGTH, the length of the data, it is read in pieces from the back to the front: who can, seeks.
"""
import io
import sys

name, path, length = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None


def backwards(file):
    step = length // 30 + 1
    out = b""
    for at in range(0, length, step)[::-1]:
        file.seek(at)
        out = file.read(min(step, length - at)) + out
    return out


def read(file):
    return file.read() if length is None else backwards(file)


def whole():
    with open(path, "rb") as file:
        return file.read()


def library(name):
    import importlib
    import importlib.metadata

    print(importlib.metadata.version(name), file=sys.stderr)
    return importlib.import_module("lz4.frame" if name == "lz4" else name)


readers = {
    "zstandard across frames": lambda: library("zstandard")
    .ZstdDecompressor()
    .stream_reader(io.BytesIO(whole()), read_across_frames=True)
    .read(),
    "zstandard open": lambda: library("zstandard").open(path, "rb").read(),
    "zstandard copy_stream": lambda: copied(library("zstandard").ZstdDecompressor()),
    "zstandard one frame": lambda: library("zstandard").ZstdDecompressor().decompress(whole()),
    "pyzstd decompress": lambda: library("pyzstd").decompress(whole()),
    "pyzstd open": lambda: read(library("pyzstd").open(path)),
    "pyzstd seekable": lambda: read(library("pyzstd").SeekableZstdFile(path)),
    "backports.zstd decompress": lambda: library("backports.zstd").decompress(whole()),
    "backports.zstd open": lambda: read(library("backports.zstd").open(path)),
    "indexed_zstd": lambda: read(library("indexed_zstd").IndexedZstdFile(path)),
    "lz4 open": lambda: read(library("lz4").open(path)),
    "lz4 one frame": lambda: library("lz4").decompress(whole()),
}


def copied(decompressor):
    out = io.BytesIO()
    decompressor.copy_stream(io.BytesIO(whole()), out)
    return out.getvalue()


sys.stdout.buffer.write(readers[name]())
