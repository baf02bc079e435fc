from __future__ import annotations

import itertools
import os
import shutil
import zipfile
from pathlib import Path

import boto3
import pytest
from pydantic import TypeAdapter, ValidationError

from discern.datasets.ingest.write_version import write_version
from discern.datasets.splits.assign import SplitConfig
from discern.errors import DataError
from discern.sources.base import Source
from discern.sources.files import local
from discern.sources.registry import FolderConfig, PillsConfig, SourceConfig, open_source
from tests.discern.pictures import fill, jpeg, photos
from tests.discern.sources.layouts import pack, plant


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "pills")


def source(path: Path | str) -> Source:
    return open_source(FolderConfig(path=str(path)))


def packed(folder: Path, archive: Path, top: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, top + path.relative_to(folder).as_posix())
    return archive


def test_a_folder_and_its_archives_hold_the_same_photos(folder: Path, tmp_path: Path) -> None:
    expected = [(photo.name, photo.label, photo.load()) for photo in photos(8, 4)]
    plain = source(folder)
    assert plain.name == "pills"
    assert len(plain) == 32
    assert [(photo.name, photo.label, photo.load()) for photo in plain.photos()] == expected
    for top in ("", "top/", "über uns/"):
        archive = source(packed(folder, tmp_path / "a.zip", top))
        assert [(photo.name.removeprefix(top), photo.label, photo.load()) for photo in archive.photos()] == expected


def test_nested_images_belong_to_the_class_above(folder: Path) -> None:
    (folder / "c00/front/left").mkdir(parents=True)
    (folder / "c00/front/left/9.JPG").write_bytes(jpeg(77))
    labels = {photo.name: photo.label for photo in source(folder).photos()}
    assert labels["c00/front/left/9.JPG"] == "c00"
    assert set(labels.values()) == {f"c{i:02d}" for i in range(8)}


def test_what_is_no_image_is_passed_over(folder: Path, tmp_path: Path) -> None:
    for name in ("notes.txt", "c00/README.md", "c01/Thumbs.db", "c02/.DS_Store", "c02/._0.jpg", "__MACOSX/c00/._0.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    assert len(source(folder)) == 32
    assert len(source(packed(folder, tmp_path / "a.zip"))) == 32
    assert len(source(packed(folder, tmp_path / "b.zip", "top/"))) == 32


def test_the_fingerprint_follows_files_and_settings(folder: Path, tmp_path: Path) -> None:
    prints = [source(folder).fingerprint(), source(folder).fingerprint()]
    assert prints[0] == prints[1]
    os.utime(folder / "c00/0.jpg", ns=(1, 1))
    prints.append(source(folder).fingerprint())
    (folder / "c00/0.jpg").rename(folder / "c00/zero.jpg")
    prints.append(source(folder).fingerprint())
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copy2)
    prints.append(source(tmp_path / "copy").fingerprint())
    assert len(set(prints)) == 4


def test_the_fingerprint_of_an_archive_follows_its_content(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    first = source(packed(folder, archive)).fingerprint()
    assert source(packed(folder, archive)).fingerprint() == first
    data = bytearray((folder / "c00/0.jpg").read_bytes())
    data[-3] ^= 1
    (folder / "c00/0.jpg").write_bytes(data)
    assert source(packed(folder, archive)).fingerprint() != first


def test_a_missing_path_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist: give the path"):
        source(tmp_path / "nowhere")


def test_a_file_of_another_kind_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match=r"a\.tar is neither a folder nor a zip"):
        source(tmp_path / "a.tar")


@pytest.mark.parametrize("content", [[], ["notes.txt"], ["c00/notes.txt", "c01/more.txt"]])
def test_no_images_is_one_sentence(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match="holds no images: put one folder of photos a class into it"):
        source(tmp_path)


def test_one_class_is_read(tmp_path: Path) -> None:
    assert {photo.label for photo in source(fill(tmp_path / "one", classes=1)).photos()} == {"c00"}


def test_one_folder_of_class_folders_is_one_sentence(tmp_path: Path) -> None:
    fill(tmp_path / "one" / "fruit", classes=2)
    with pytest.raises(DataError, match=r"holds one class \(fruit\), with the folders c00, c01 inside: give the path"):
        source(tmp_path / "one")
    fill(tmp_path / "two" / "fruit" / "train", classes=1)
    assert {photo.label for photo in source(tmp_path / "two").photos()} == {"fruit"}


def test_a_class_with_one_image_is_named(folder: Path) -> None:
    for number in (1, 2, 3):
        (folder / f"c03/{number}.jpg").unlink()
    with pytest.raises(DataError, match=r"class c03 in .*pills has one image"):
        source(folder)


def test_a_class_without_an_image_is_named(folder: Path) -> None:
    (folder / "c99").mkdir()
    (folder / "c99/later.txt").write_text("photos to come")
    with pytest.raises(DataError, match=r"the class folder c99 in .*pills holds no images"):
        source(folder)


def test_an_image_outside_the_classes_is_named(folder: Path) -> None:
    (folder / "stray.jpg").write_bytes(jpeg(5))
    with pytest.raises(DataError, match=r"stray\.jpg in .* lies beside the class folders: move it"):
        source(folder)


def test_a_text_file_named_jpg_is_refused_later_by_name(folder: Path, tmp_path: Path) -> None:
    (folder / "c00/note.jpg").write_text("buy milk")
    with pytest.raises(DataError, match=r"c00/note\.jpg is not a picture"):
        write_version(source(folder).photos(), str(tmp_path / "shards"))


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg(1))
    (folder / "c00/link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(
        DataError, match=r"c00/link\.jpg is a link to a file outside of .*pills: put a copy in its place"
    ):
        source(folder)


@pytest.mark.parametrize("target", ["..", "/etc", "c01"])
def test_a_link_to_a_folder_is_refused(folder: Path, target: str) -> None:
    (folder / "c98").symlink_to(target)
    with pytest.raises(DataError, match="c98 is a link to another folder"):
        source(folder)


def test_a_link_inside_the_folder_is_read(folder: Path) -> None:
    (folder / "c00/link.jpg").symlink_to(folder / "c00/0.jpg")
    assert len(source(folder)) == 33


def test_a_dead_link_is_named(folder: Path) -> None:
    (folder / "c00/link.jpg").symlink_to(folder / "c00/gone.jpg")
    with pytest.raises(DataError, match="link to a file that does not exist: remove it"):
        source(folder)


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "c00/../../evil.jpg", "/etc/evil.jpg", "C:/evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"]
)
def test_an_archive_with_a_path_out_of_it_is_refused_whole(folder: Path, tmp_path: Path, name: str) -> None:
    archive = packed(folder, tmp_path / "a.zip")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(name, jpeg(1))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=r"a\.zip holds .*evil\.jpg', a path that .*: pack it again"):
        source(archive)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_may_part_folders_by_backslashes(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for path in sorted(folder.rglob("*.jpg")):
            file.write(path, str(path.relative_to(folder)).replace("/", "\\"))
    read = [(photo.name, photo.label, photo.load()) for photo in source(tmp_path / "a.zip").photos()]
    assert read == [(photo.name, photo.label, photo.load()) for photo in photos(8, 4)]


@pytest.mark.parametrize(
    ("store", "unlinked", "gone"),
    [
        (".git/annex/objects/x1/K1", "git annex unlock", "git annex get"),
        (".dvc/cache/ab/cd", "dvc config cache.type copy", "dvc pull"),
        ("dvcstore/files/md5/ab/cd", "dvc config cache.type copy", "dvc pull"),
    ],
)
def test_a_link_into_the_store_of_a_program_names_its_command(
    folder: Path, tmp_path: Path, store: str, unlinked: str, gone: str
) -> None:
    target = tmp_path / store
    (folder / "c00/link.jpg").symlink_to(target)
    with pytest.raises(DataError, match=rf"link to a file that does not exist: run `{gone}`\.$"):
        source(folder)
    target.parent.mkdir(parents=True)
    target.write_bytes(jpeg(1))
    with pytest.raises(DataError, match=rf"is a link to a file outside of .*: run `{unlinked}`"):
        source(folder)


def test_pointers_of_dvc_alone_are_named(tmp_path: Path) -> None:
    (tmp_path / "photos.dvc").write_text("outs:\n- path: photos\n")
    with pytest.raises(DataError, match=r"holds no images, but photos\.dvc, a pointer of DVC: run `dvc pull`"):
        source(tmp_path)


def test_splits_are_read_from_every_kind_of_place(tmp_path: Path, bucket: str) -> None:
    files = {
        f"{split}/{label}/{number}.jpg": jpeg(seed)
        for seed, (split, label, number) in enumerate(itertools.product(("Train", "valid", "test_set"), "ab", range(2)))
    }
    client, name = boto3.client("s3"), bucket.removeprefix("s3://")
    for path, data in files.items():
        client.put_object(Bucket=name, Key=f"in/{path}", Body=data)
    for place in (plant(tmp_path / "in", files), pack(tmp_path / "a.zip", files, "shop/"), f"{bucket}/in"):
        said = {photo.name.removeprefix("shop/"): (photo.label, photo.split) for photo in source(place).photos()}
        splits = {"Train": "train", "valid": "validation", "test_set": "test"}
        assert said == {path: (path.split("/")[1], splits[path.split("/")[0]]) for path in files}


def test_a_class_may_be_called_like_a_split_where_somebody_says_so(folder: Path) -> None:
    (folder / "c00").rename(folder / "test")
    with pytest.raises(
        DataError, match=r"holds the folder test, named like a split, beside .*: move .*set split_folders"
    ):
        source(folder)
    photos_of = open_source(FolderConfig(path=str(folder), split_folders=False)).photos()
    assert "test" in {photo.label for photo in photos_of}


def test_every_problem_is_told_at_once(folder: Path) -> None:
    (folder / "stray.jpg").write_bytes(jpeg(5))
    (folder / "c99").mkdir()
    (folder / "c99/later.txt").write_text("photos to come")
    (folder / "c98").mkdir()
    (folder / "c98/1.jpg").write_bytes(jpeg(6))
    with pytest.raises(DataError) as caught:
        source(folder)
    assert [line.split(" in ")[0] for line in str(caught.value).splitlines()] == [
        "stray.jpg",
        "the class folder c99",
        "class c98",
    ]


def test_what_a_nas_or_a_system_left_is_no_photo(folder: Path, tmp_path: Path) -> None:
    before = [photo.name for photo in source(folder).photos()]
    litter = (
        "@eaDir/0.jpg/SYNOPHOTO_THUMB_M.jpg", "c00/@eaDir/0.jpg/THUMB.jpg", "#recycle/old/1.jpg", "$RECYCLE.BIN/1.jpg",
        "@Recycle/1.jpg", "lost+found/1.jpg", "System Volume Information/1.jpg", ".Trash-1000/files/1.jpg",
        "c01/.thumbnails/1.jpg", "c01/.@__thumb/1.jpg", "c02/THUMBS.DB",
    )  # fmt: skip
    for name in litter:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg(3))
    assert [photo.name for photo in source(folder).photos()] == before
    assert [photo.name for photo in source(packed(folder, tmp_path / "a.zip")).photos()] == before


def test_photos_are_seen_by_their_content_where_their_name_says_nothing(folder: Path, tmp_path: Path) -> None:
    photo, raw = jpeg(90), b"II*\0\x10\0\0\0CR\2\0"
    meant = {"IMG_0001": photo, "IMG 2026.11.28": photo, "a.jpg_original": photo, "b.CR2": raw, "c.jxl": b"x",
             "DSC_2": raw, "d.pgm": b"P5 8 8 255\n" + bytes(64), ".e.jpg.icloud": b"bplist00"}  # fmt: skip
    silent = {"README": b"nothing", "f.svg": b"<svg/>", "g.xmp": photo, "h.AAE": b"x", "i.jpg.json": b"{}",
              "j.MOV": b"x", "k.thm": photo, ".DS_Store": photo, "l.dat": b"x"}  # fmt: skip
    for name, data in (meant | silent).items():
        (folder / "c00" / name).write_bytes(data)
    for place in (folder, packed(folder, tmp_path / "a.zip")):
        names = {photo.name.removeprefix("c00/") for photo in source(place).photos() if photo.name.startswith("c00/")}
        assert names == meant.keys() | {f"{number}.jpg" for number in range(4)}


def test_an_archive_with_a_file_twice_is_refused(folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, tmp_path / "a.zip")
    with zipfile.ZipFile(archive, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("c00/0.jpg", jpeg(1))
    with pytest.raises(DataError, match=r"holds c00/0\.jpg 2 times"):
        source(archive)


def test_a_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_UNPACKED", 1 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"):
            file.writestr(name, bytes(1 << 22))
    with pytest.raises(DataError, match=r"would unpack to 16,777,216 bytes, .* like a zip bomb"):
        source(tmp_path / "a.zip")


def test_a_member_that_unpacks_too_large_is_never_read_whole(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"):
            file.writestr(name, bytes(local.READ_LIMIT + 1000))
    photo = next(iter(source(tmp_path / "a.zip").photos()))
    assert len(photo.load()) == local.READ_LIMIT
    with pytest.raises(DataError, match=r"a/1\.jpg has 33,554,433 bytes, more than"):
        write_version([photo], str(tmp_path / "shards"), splits=SplitConfig(by="photos"))


def test_too_many_members_are_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_MEMBERS", 10)
    with pytest.raises(DataError, match="has 32 members, more than 10"):
        source(packed(folder, tmp_path / "a.zip"))


def test_a_cut_archive_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, tmp_path / "a.zip")
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a\.zip is no readable zip archive"):
        source(archive)


def test_a_damaged_member_is_named(folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, tmp_path / "a.zip")
    data = bytearray(archive.read_bytes())
    place = data.find((folder / "c04/1.jpg").read_bytes()) + 30
    data[place] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(DataError, match=r"c04/1\.jpg in .*a\.zip is damaged"):
        write_version(source(archive).photos(), str(tmp_path / "shards"))


def test_an_encrypted_member_is_named(folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, tmp_path / "a.zip")
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + offset] |= 1
    archive.write_bytes(data)
    with pytest.raises(DataError, match=r"c00/0\.jpg in .* is encrypted"):
        [photo.load() for photo in source(archive).photos()]


def test_a_photo_that_goes_away_is_named(folder: Path) -> None:
    opened = source(folder)
    (folder / "c00/2.jpg").unlink()
    with pytest.raises(DataError, match=r"c00/2\.jpg cannot be read \(No such file or directory\)"):
        [photo.load() for photo in opened.photos()]


def test_configs_are_told_apart_by_their_kind() -> None:
    adapter: TypeAdapter[SourceConfig] = TypeAdapter(SourceConfig)
    assert adapter.validate_python({"kind": "folder", "path": "x"}) == FolderConfig(path="x")
    pills = adapter.validate_python({"kind": "pills", "families": 3, "photos_per_class": 2})
    assert pills == PillsConfig(families=3, photos_per_class=2)
    assert len(open_source(pills)) == 6
    for wrong in ({"kind": "foldr", "path": "x"}, {"kind": "folder", "path": "x", "pth": 1}, {"kind": "folder"}):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)
