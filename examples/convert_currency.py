"""A plugin that converts amounts by the rates of its configuration."""

from taskweaver.plugin import Plugin, register_plugin, test_plugin


@register_plugin
class ConvertCurrency(Plugin):
    """Converts an amount of one currency into another."""

    def __call__(self, amount: float, source: str, target: str) -> float:
        rates = self.config["rates"]
        converted = amount / rates[source] * rates[target]
        self.log("info", f"{amount} {source} is {converted} {target}")
        return converted


@test_plugin(name="same currency", description="nothing changes where source and target are the same")
def test_same_currency(convert_currency):
    assert convert_currency(7, "EUR", "EUR") == 7
