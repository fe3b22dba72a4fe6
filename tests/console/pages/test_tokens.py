from clawstream.console.pages.tokens import shown
from clawstream.console.stories.tokens import Token, tokens
from tests.builders import a_sample, a_step


def test_what_a_tokenizer_says_is_escaped() -> None:
    page = shown(tokens(a_step([1], [2]), None, 10), lambda token_id: f'<script>"{token_id}')
    assert "<script" not in page
    assert "&lt;script&gt;&quot;2" in page


def test_a_token_has_the_classes_of_every_colouring() -> None:
    page = shown(tokens(a_step([1], [2], version=8), a_sample(1.0, mean=0.0, std=0.5), 10), lambda _: None)
    assert '<b class="p m0" data-id="1"' in page
    assert '<b class="l1 m1 v2 a4" data-id="2"' in page
    assert "advantage +2.0000" in page


def test_unlikely_tokens_stand_out() -> None:
    def classes(logprob: float) -> str:
        token = Token(position=0, id=1, logprob=logprob, version=None, advantage=None, trained=False)
        return shown([token], lambda _: None).split('class="')[2][:2]

    assert [classes(logprob) for logprob in (-0.01, -0.5, -1.0, -3.0, -9.0)] == ["l0", "l1", "l2", "l3", "l4"]
