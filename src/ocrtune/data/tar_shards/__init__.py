"""Labelled images in tar shards, in webdataset's convention: ``000000.tar`` with ``KEY.jpg`` and ``KEY.txt``.

Recognition: ``KEY.txt`` is the text. Detection: ``KEY.json`` is PaddleOCR's label, ``[{"transcription": ..., "points":
[[x, y], ...]}, ...]``. A key is what stands before the first dot; its members follow each other. Several images of a
key (``KEY.jpg``, ``KEY.1.jpg``) share the label, and training draws one of them at each access.

``index.jsonl`` beside the shards says where in them each image lies, and holds the labels. So images are read at their
offset like so many small files: shuffling, ratios, held-out samples, width buckets and shards of processes work as with
files, and nothing of a draw depends on the order inside a shard. What a disk gains is few large files.

Written and read with the standard library's ``tarfile``, not with the package webdataset: its readers stream shards in
their order through a shuffle buffer, whose draws can be neither repeated nor resumed exactly, and its files are plain
tars. Those that it wrote are read here (``ocrtune pack --index``), and it reads those written here.
"""
