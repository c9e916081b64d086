"""The words of the demonstration shop in English and Chinese: 10 categories, 10 colors, 4
patterns."""

from collections.abc import Mapping
from dataclasses import dataclass

ATTRIBUTES = ("category", "color", "pattern")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One value of an attribute: its name in captions, and what shoppers also type for it."""

    en: str
    zh: str
    typed_en: tuple[str, ...] = ()
    typed_zh: tuple[str, ...] = ()


# In the order of Fashion-MNIST's labels 0 to 9.
CATEGORIES = (
    Term(
        en="t-shirt",
        zh="T恤",
        typed_en=("t-shirts", "tee", "tshirt", "t shirt"),
        typed_zh=("t恤", "T恤衫", "短袖"),
    ),
    Term(en="trousers", zh="裤子", typed_en=("pants", "slacks"), typed_zh=("长裤", "裤")),
    Term(
        en="pullover",
        zh="套头衫",
        typed_en=("pullovers", "jumper", "sweater"),
        typed_zh=("毛衣", "针织衫"),
    ),
    Term(en="dress", zh="连衣裙", typed_en=("dresses", "gown"), typed_zh=("裙子", "长裙")),
    Term(en="coat", zh="大衣", typed_en=("coats", "overcoat", "jacket"), typed_zh=("外套", "风衣")),
    Term(en="sandal", zh="凉鞋", typed_en=("sandals", "flip flops"), typed_zh=("凉拖", "沙滩鞋")),
    Term(en="shirt", zh="衬衫", typed_en=("shirts", "blouse"), typed_zh=("衬衣", "女衬衫")),
    Term(
        en="sneaker",
        zh="运动鞋",
        typed_en=("sneakers", "trainers", "running shoes"),
        typed_zh=("球鞋", "跑鞋"),
    ),
    Term(
        en="bag",
        zh="包",
        typed_en=("bags", "handbag", "purse"),
        typed_zh=("包包", "手提包", "手袋"),
    ),
    Term(
        en="ankle boot",
        zh="短靴",
        typed_en=("ankle boots", "boots", "booties"),
        typed_zh=("靴子", "踝靴"),
    ),
)
COLORS = (
    Term(en="red", zh="红色", typed_en=("scarlet",), typed_zh=("红", "大红")),
    Term(en="orange", zh="橙色", typed_zh=("橙", "橘色")),
    Term(en="yellow", zh="黄色", typed_zh=("黄",)),
    Term(en="green", zh="绿色", typed_zh=("绿",)),
    Term(en="blue", zh="蓝色", typed_zh=("蓝",)),
    Term(en="purple", zh="紫色", typed_en=("violet",), typed_zh=("紫",)),
    Term(en="pink", zh="粉色", typed_zh=("粉", "粉红色")),
    Term(en="brown", zh="棕色", typed_zh=("棕", "咖啡色")),
    Term(en="grey", zh="灰色", typed_en=("gray",), typed_zh=("灰",)),
    Term(en="black", zh="黑色", typed_zh=("黑",)),
)
PATTERNS = (
    Term(en="plain", zh="纯色", typed_en=("solid",), typed_zh=("素色", "无图案")),
    Term(en="striped", zh="条纹", typed_en=("stripes", "stripy"), typed_zh=("条子",)),
    Term(en="dotted", zh="波点", typed_en=("polka dot", "spotted"), typed_zh=("圆点", "波尔卡")),
    Term(
        en="checked",
        zh="格子",
        typed_en=("checkered", "plaid", "gingham"),
        typed_zh=("格纹", "方格"),
    ),
)
TERMS: Mapping[str, Mapping[str, Term]] = {
    attribute: {term.en: term for term in terms}
    for attribute, terms in zip(ATTRIBUTES, (CATEGORIES, COLORS, PATTERNS), strict=True)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a garment looks like, in the English names."""

    category: str
    color: str
    pattern: str

    def attributes(self) -> dict[str, str]:
        """By name, in the order of the answer's schema."""
        return {"category": self.category, "color": self.color, "pattern": self.pattern}


# The looks that shoppers of the sample log ask for most, so the sample catalog holds several of
# each.
POPULAR_LOOKS = (
    Look(category="dress", color="red", pattern="striped"),
    Look(category="dress", color="red", pattern="plain"),
    Look(category="ankle boot", color="black", pattern="plain"),
    Look(category="shirt", color="blue", pattern="striped"),
    Look(category="shirt", color="blue", pattern="checked"),
    Look(category="bag", color="pink", pattern="dotted"),
    Look(category="coat", color="grey", pattern="checked"),
    Look(category="sneaker", color="green", pattern="plain"),
    Look(category="trousers", color="black", pattern="plain"),
    Look(category="t-shirt", color="yellow", pattern="dotted"),
    Look(category="pullover", color="purple", pattern="striped"),
    Look(category="sandal", color="brown", pattern="plain"),
    Look(category="dress", color="green", pattern="dotted"),
    Look(category="bag", color="brown", pattern="plain"),
    Look(category="pullover", color="orange", pattern="plain"),
)


def every_look() -> list[Look]:
    """All 400 combinations."""
    return [
        Look(category=category.en, color=color.en, pattern=pattern.en)
        for category in CATEGORIES
        for color in COLORS
        for pattern in PATTERNS
    ]


def sold_looks() -> list[Look]:
    """All but some pairs of category and color, so that a catalog of any size lacks what people may
    ask for."""
    popular = {(look.category, look.color) for look in POPULAR_LOOKS}
    lacking = {
        (category.en, color.en)
        for place, category in enumerate(CATEGORIES)
        for number, color in enumerate(COLORS)
        if (place + number) % 5 == 0
    } - popular
    return [look for look in every_look() if (look.category, look.color) not in lacking]
