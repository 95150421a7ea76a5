"""Names as people write them."""

import pytest

from services.writers.person_name import plain, written


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["Yamada, Tarou", "山田 太郎", "やまだ たろう"]),
        ("Hong^Gildong=洪^吉洞=홍^길동", ["Hong, Gildong", "洪 吉洞", "홍 길동"]),
        ("Adams^John Robert Quincy^^Rev.^B.A. M.Div.",
         ["Adams, Rev. John Robert Quincy B.A. M.Div."]),
        ("Lung_Dx-A0001", ["Lung_Dx-A0001"]),
        ("^Madonna", ["Madonna"]),
        ("=王^小东", ["王 小东"]),
        ("قباني^لنزار", ["قباني, لنزار"]),
        ("", ["–"]),
        (None, ["–"]),
        ("^^^^", ["–"]),
    ],
)  # fmt: skip
def test_a_name_is_written_in_each_of_its_scripts(name: str | None, shown: list[str]) -> None:
    assert written(name) == shown


def test_control_characters_never_reach_a_page() -> None:
    assert plain("a\x00b\u202ec\td ") == "abc d"
