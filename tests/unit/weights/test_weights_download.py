"""Fetching checkpoints, against a server on the loopback."""

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from ocrtune.core.errors import WeightsError
from ocrtune.weights import checkpoints, download
from ocrtune.weights.checkpoints import Checkpoint
from ocrtune.weights.pdparams import read_pdparams, write_pdparams
from ocrtune.weights.source import open_source


class Server:
    """Serves ``content``; cuts the first ``cuts`` answers off in the middle; keeps the Range headers it got."""

    def __init__(self):
        self.content, self.tag, self.cuts, self.ranges, self.resumes = b"", '"1"', 0, [], True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request):
        if not self.content:
            request.send_error(404)
            return
        wanted, start = request.headers.get("Range"), 0
        self.ranges.append(wanted)
        if self.resumes and wanted and request.headers.get("If-Range") == self.tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        body = self.content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("ETag", self.tag)
        request.end_headers()
        if self.cuts > 0:
            self.cuts -= 1
            body = body[: len(body) // 2]
            request.close_connection = True
        request.wfile.write(body)

    def checkpoint(self, file_name, sha256=None):
        return Checkpoint("model", f"http://127.0.0.1:{self.http.server_port}/{file_name}", sha256)


@pytest.fixture
def server():
    found = Server()
    yield found
    found.http.shutdown()
    found.http.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pdparams(tmp_path, value=1.0, size=50_000):
    write_pdparams(tmp_path / "x.pdparams", {"backbone.conv.weight": np.full(size, value, np.float32)})
    return (tmp_path / "x.pdparams").read_bytes()


def tar(files):
    """A tar of names and contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_file_is_fetched_checked_and_recorded(server, tmp_path, cache):
    server.content = pdparams(tmp_path)
    first = download.pull(server.checkpoint("a.pdparams"))
    assert first.files == (cache / "weights" / "model" / "a.pdparams",)
    assert first.files[0].read_bytes() == server.content
    assert first.sha256 == hashlib.sha256(server.content).hexdigest()
    assert "publishes no checksum" in first.notes[0]
    again = download.pull(server.checkpoint("a.pdparams"))
    assert again.notes == ("already in the cache: nothing was fetched",)
    assert len(server.ranges) == 1


def test_cut_connection_is_resumed_where_it_stopped(server, tmp_path):
    server.content, server.cuts = pdparams(tmp_path), 2
    found = download.pull(server.checkpoint("a.pdparams"))
    half = len(server.content) // 2
    rest = len(server.content) - half
    assert server.ranges == [None, f"bytes={half}-", f"bytes={half + rest // 2}-"]
    assert found.files[0].read_bytes() == server.content


def test_later_call_resumes_too(server, tmp_path):
    server.content, server.cuts = pdparams(tmp_path), 99
    with pytest.raises(WeightsError, match="cannot be fetched"):
        download.pull(server.checkpoint("a.pdparams"))
    server.cuts, before = 0, len(server.ranges)
    assert download.pull(server.checkpoint("a.pdparams")).files[0].read_bytes() == server.content
    assert server.ranges[before].startswith("bytes=")


def test_file_that_changed_meanwhile_is_fetched_anew(server, tmp_path):
    server.content, server.cuts = pdparams(tmp_path), 99
    with pytest.raises(WeightsError):
        download.pull(server.checkpoint("a.pdparams"))
    server.content, server.tag, server.cuts = pdparams(tmp_path, 2.0), '"2"', 0
    assert download.pull(server.checkpoint("a.pdparams")).files[0].read_bytes() == server.content


def test_server_that_cannot_resume_sends_everything_again(server, tmp_path):
    server.content, server.cuts, server.resumes = pdparams(tmp_path), 1, False
    assert download.pull(server.checkpoint("a.pdparams")).files[0].read_bytes() == server.content


def test_other_content_than_published_or_first_seen_is_refused(server, tmp_path):
    server.content = pdparams(tmp_path)
    with pytest.raises(WeightsError, match=r"the one published is 00.*it was removed"):
        download.pull(server.checkpoint("a.pdparams", sha256="00"))
    first = download.pull(server.checkpoint("a.pdparams"))
    first.files[0].unlink()
    server.content = pdparams(tmp_path, 3.0)
    with pytest.raises(WeightsError, match="the one of the first download is"):
        download.pull(server.checkpoint("a.pdparams"))
    assert not first.files[0].exists()


def test_absent_file_and_absent_server_say_what_to_do(server):
    with pytest.raises(WeightsError, match=r"answers 404.*curl -L"):
        download.pull(server.checkpoint("a.pdparams"))
    gone = server.checkpoint("a.pdparams")
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(WeightsError, match=r"cannot be fetched .*curl -L .* put it at"):
        download.pull(gone)


def test_tar_is_unpacked_without_optimiser_states(server, tmp_path):
    weights = pdparams(tmp_path, size=3)
    server.content = tar({"x/best_accuracy.pdparams": weights, "x/best_accuracy.pdopt": b"1", "x/c.yml": b"a: 1"})
    found = download.pull(server.checkpoint("x.tar"))
    assert [path.name for path in found.files] == ["best_accuracy.pdparams"]
    folder = found.files[0].parent
    assert sorted(path.name for path in folder.iterdir()) == ["best_accuracy.pdparams", "c.yml"]
    assert list(read_pdparams(found.files[0])) == ["backbone.conv.weight"]


@pytest.mark.parametrize("name", ["../evil.pdparams", "/evil.pdparams", "a/../../evil.pdparams", "C:\\evil.pdparams"])
def test_entry_outside_the_folder_refuses_the_whole_tar(tmp_path, name):
    (tmp_path / "x.tar").write_bytes(tar({"good.pdparams": b"1", name: b"2"}))
    (tmp_path / "into").mkdir()
    with pytest.raises(WeightsError, match="would be written outside the folder"):
        download.unpack(tmp_path / "x.tar", tmp_path / "into")
    assert not list((tmp_path / "into").iterdir())
    assert not (tmp_path / "evil.pdparams").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_refuse_the_whole_tar(tmp_path, kind):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        member = tarfile.TarInfo("a.pdparams")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(WeightsError, match="is a link or a device"):
        download.unpack(tmp_path / "x.tar", tmp_path)


def test_cut_tar(tmp_path):
    (tmp_path / "x.tar").write_bytes(tar({"a.pdparams": b"1" * 5000})[:3000])
    with pytest.raises(WeightsError, match="not a complete tar"):
        download.unpack(tmp_path / "x.tar", tmp_path)


def test_fetched_name_can_be_loaded(server, tmp_path, monkeypatch):
    server.content = pdparams(tmp_path)
    monkeypatch.setitem(checkpoints._TABLE, "model", server.checkpoint("a.pdparams"))
    with pytest.raises(WeightsError, match="ocrtune weights pull model"):
        open_source("model")
    assert "model" not in checkpoints.names_in_cache()
    download.pull(checkpoints.find("model"))
    assert "model" in checkpoints.names_in_cache()
    assert list(open_source("model").content.tensors) == ["backbone.conv.weight"]


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    assert checkpoints.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("OCRTUNE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert checkpoints.cache_folder() == tmp_path / "ocrtune"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert checkpoints.cache_folder().parts[-2:] == (".cache", "ocrtune")


def test_names_and_addresses():
    assert checkpoints.find("PP-OCRv5_mobile_rec").name == "PP-OCRv5_mobile_rec_pretrained"
    assert checkpoints.find("ch_PP-OCRv2_rec_train").url.endswith("/PP-OCRv2/chinese/ch_PP-OCRv2_rec_train.tar")
    assert all(checkpoints.find(name).url.startswith("https://") for name in checkpoints.names())
    with pytest.raises(WeightsError, match="did you mean 'ch_PP-OCRv2_rec_train'"):
        checkpoints.find("ch_PPOCRv2_rec_train")
