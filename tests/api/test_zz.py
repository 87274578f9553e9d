import pytest
from tests.api.asking import connected
pytestmark = pytest.mark.anyio
async def test_x(api):
    for c in ({"store": "a/b", "secret": "right"}, {"store": "", "secret": "x"}, {"store":"main","secret":"no"}):
        print("P", await api.refusal("channelConnect", {"name": "s", "credentials": {"double": c}, "settings": {"double": {"color": "green"}}}))
