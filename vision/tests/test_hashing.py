from __future__ import annotations

import csv

import numpy as np
import pytest

from vision.hashing import PdqHasher, hamming_distance
from vision.imaging.open import read_picture
from vision.ports import PerceptualHasher
from vision.results import PerceptualHash
from vision.tests.imaging_support import ASSETS, assets, noise

FOLDER = ASSETS / "dup_pdq_bsd"


def test_it_is_a_perceptual_hasher() -> None:
    hasher = PdqHasher()
    assert isinstance(hasher, PerceptualHasher)
    assert hasher.engine_id == "pdq/1@512"


def test_hashes_keep_the_order_and_are_deterministic() -> None:
    pictures = [np.array(noise(900, 600, seed)) for seed in range(3)]
    first, second = PdqHasher().hash_images(pictures), PdqHasher().hash_images(pictures[::-1])
    assert first == second[::-1]
    assert all(len(value.bits) == 32 and 0 <= value.quality <= 100 for value in first)
    assert hamming_distance(first[0].bits, first[1].bits) > 60
    assert PdqHasher().hash_images([]) == []


def test_a_picture_without_structure_has_no_quality() -> None:
    assert PdqHasher().hash_images([np.full((40, 60, 3), 255, dtype=np.uint8)])[0].quality == 0


def test_one_pixel() -> None:
    assert len(PdqHasher().hash_images([np.zeros((1, 1, 3), dtype=np.uint8)])[0].bits) == 32


def test_hamming_distance() -> None:
    assert hamming_distance(b"\x00\xff", b"\x01\xff") == 1
    assert hamming_distance(b"\x00" * 32, b"\xff" * 32) == 256
    with pytest.raises(ValueError, match="1 and 2 bytes"):
        hamming_distance(b"\x00", b"\x00\x00")


class TestRealPhotos:
    pytestmark = assets

    def hashes(self) -> dict[str, PerceptualHash]:
        paths = sorted(FOLDER.glob("*.jpg"))
        pictures = [np.array(read_picture(path.read_bytes()).image) for path in paths]
        return dict(zip((path.name for path in paths), PdqHasher().hash_images(pictures), strict=True))

    def test_against_the_authors_reference_and_between_the_edits(self) -> None:
        ours = self.hashes()
        with (FOLDER / "PDQMD5TestData.csv").open() as stream:
            reference = {row["FilePath"].rsplit("/", 1)[-1]: row["Hash"] for row in csv.DictReader(stream)}
        compared = {name: bytes.fromhex(reference[name]) for name in ours if name in reference}
        assert len(compared) == 12
        for name, expected in compared.items():
            assert hamming_distance(ours[name].bits, expected) <= 8, name
        original = ours["aaa-orig.jpg"].bits
        distances = {name: hamming_distance(original, value.bits) for name, value in ours.items()}
        assert max(distances.values()) <= 20, distances
        assert all(value.quality == 100 for value in ours.values())

    def test_another_photo_is_far_away(self) -> None:
        other = read_picture((ASSETS / "coral_apache2" / "owl.jpg").read_bytes()).image
        value = PdqHasher().hash_images([np.array(other)])[0]
        assert hamming_distance(value.bits, self.hashes()["aaa-orig.jpg"].bits) > 90
