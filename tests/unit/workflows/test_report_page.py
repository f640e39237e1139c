import numpy as np

from workflows.report_page import ReportPage, blend, curves_svg, outline


def test_that_text_cannot_break_the_page():
    page = ReportPage("A & B")
    page.paragraph("<script>")
    assert "<script>" not in page.render()
    assert "&lt;script&gt;" in page.render()


def test_that_pictures_travel_inside_the_page():
    page = ReportPage("t")
    page.pictures([(np.zeros((4, 6, 3), np.uint8), "black")])
    assert "data:image/jpeg;base64," in page.render()


def test_that_a_curve_has_one_point_per_value_and_ends_at_the_right_edge():
    svg = curves_svg({"loss": ([0, 1, 2], [3.0, 2.0, 1.0])}, x_label="step", y_label="loss")
    points = svg.split('polyline points="')[1].split('"')[0].split()
    assert len(points) == 3
    assert points[-1].startswith("704.0,")


def test_that_no_values_are_said_so():
    assert "No values" in curves_svg({}, x_label="", y_label="")


def test_that_a_map_of_zeros_leaves_the_image_as_it_is():
    image = np.random.default_rng(0).integers(0, 255, (5, 5, 3), np.uint8)
    assert np.array_equal(blend(image, np.zeros((5, 5))), image)


def test_that_the_border_of_a_mask_is_drawn_in_the_colour():
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    drawn = outline(np.zeros((20, 20, 3), np.uint8), mask, "#009E73")
    assert drawn[5, 10].tolist() == [0x00, 0x9E, 0x73]
    assert drawn[10, 10].tolist() == [0, 0, 0]
