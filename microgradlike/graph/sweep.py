"""stub"""
from typing import Any
def parts(c: Any) -> Any: return None, c
def settled(m: Any, c: Any) -> Any: return c
