"""Addresses that stand in running text without a blank around them."""

from __future__ import annotations

import pytest

from bounceparse.wire.address import check_address, find_addresses, read_address

GLUED = {
    "收件人：lei@cn.example": "lei@cn.example",
    "宛先：jun@jp.example。": "jun@jp.example",
    "（lei@cn.example）": "lei@cn.example",
    "「a@b.example」は": "a@b.example",
    "アドレスa@b.exampleは存在しません": "a@b.example",
    "받는사람：w@kr.example": "w@kr.example",
    "“x@y.example”": "x@y.example",
    "«x@y.example»": "x@y.example",
    "用户：用户@例子.测试": "用户@例子.测试",
    "用户@例子.测试 不存在": "用户@例子.测试",
    "кира@пример.рф": "кира@пример.рф",
    "jürgen@example.com": "jürgen@example.com",
}


@pytest.mark.parametrize(("text", "address"), GLUED.items())
def test_what_is_glued_to_an_address_is_no_part_of_it(text: str, address: str) -> None:
    assert find_addresses(text) == [address]
    assert check_address(text) == address
    assert read_address(text) == address
