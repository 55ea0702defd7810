"""Files that verbs write where they are told to: links, streams, and several of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.cli.shared.files import check_folder, check_free, write_folder, write_whole
from sim.config.errors import ConfigError


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to("target.txt")
    with pytest.raises(ConfigError, match="already there"):
        check_free(link, force=False)
    write_whole(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    write_folder(tmp_path, {"link.txt": "newer"})
    assert link.is_symlink()
    assert target.read_text() == "newer"


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match="leads nowhere; name another file"):
        check_free(link, force=True)
    with pytest.raises(ConfigError, match="leads nowhere; name another folder"):
        check_folder(link, ["a"], force=True)


def test_a_device_is_written_to_and_not_replaced() -> None:
    null = Path("/dev/null")
    check_free(null, force=False)
    write_whole(null, "text")
    assert null.is_char_device()


def test_several_files_come_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "made"
    write_folder(folder, {"a.txt": "a", "b.bin": b"b"})
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.bin"]
    write, left = Path.write_bytes, [1]

    def full(path: Path, content: bytes) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        left.pop()
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_folder(folder, {"a.txt": "new", "b.bin": b"new"})
    assert (folder / "a.txt").read_text() == "a"
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.bin"]
    with pytest.raises(OSError, match="No space"):
        write_folder(tmp_path / "other", {"a.txt": "new"})
    assert not (tmp_path / "other").exists()
    monkeypatch.undo()
    write_folder(folder, {"a.txt": "new"}, gone=("b.bin", "never.svg"))
    assert [path.name for path in folder.iterdir()] == ["a.txt"]
